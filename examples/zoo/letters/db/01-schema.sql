CREATE TABLE letters (
    id      bigint PRIMARY KEY,
    sender  text NOT NULL,
    charset text NOT NULL,
    body    bytea NOT NULL
);
