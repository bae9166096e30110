CREATE TABLE subscribers (
    id         bigint PRIMARY KEY,
    email      text NOT NULL,
    first_name text, -- the form asks everybody
    since      date NOT NULL
);
