CREATE TABLE events (
    id    integer PRIMARY KEY,
    title text NOT NULL,
    cents integer NOT NULL
);

CREATE TABLE reservations (
    id       bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    event_id integer NOT NULL REFERENCES events (id),
    seats    integer NOT NULL CHECK (seats > 0),
    country  char(2) NOT NULL,
    cents    integer NOT NULL
);

CREATE INDEX reservations_of_event ON reservations (event_id);

INSERT INTO events SELECT n, 'Concert ' || n, 1500 + n * 10 FROM generate_series(1, 200) AS n;
