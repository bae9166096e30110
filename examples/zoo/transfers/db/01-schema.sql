CREATE TABLE accounts (
    id    integer PRIMARY KEY,
    cents bigint NOT NULL
);

CREATE TABLE transfers (
    id      bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    from_id integer NOT NULL REFERENCES accounts (id),
    to_id   integer NOT NULL REFERENCES accounts (id),
    cents   bigint NOT NULL CHECK (cents > 0),
    made_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO accounts SELECT n, 1000000 FROM generate_series(1, 500) AS n;
