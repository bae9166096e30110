CREATE TABLE templates (
    id   smallint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL UNIQUE,
    body text NOT NULL -- with the placeholders {customer} and {city}
);

CREATE TABLE customers (
    id   integer PRIMARY KEY,
    name text NOT NULL,
    city text NOT NULL
);

CREATE TABLE documents (
    id          bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    template_id smallint NOT NULL REFERENCES templates (id),
    customer_id integer NOT NULL REFERENCES customers (id),
    body        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX documents_of_customer ON documents (customer_id, id DESC);
