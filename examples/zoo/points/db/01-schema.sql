CREATE TABLE members (
    id      integer PRIMARY KEY,
    balance integer NOT NULL DEFAULT 0
);

CREATE TABLE movements (
    id        bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    member_id integer NOT NULL REFERENCES members (id),
    points    integer NOT NULL
);

CREATE INDEX movements_of_member ON movements (member_id);

INSERT INTO members (id) SELECT generate_series(1, 300);
