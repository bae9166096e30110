CREATE TABLE customers (
    id        bigint PRIMARY KEY,
    email     text NOT NULL,
    email_key text GENERATED ALWAYS AS (lower(email)) STORED,
    city      text NOT NULL,
    notes     text NOT NULL
);

CREATE INDEX customers_by_email ON customers (email);
CREATE INDEX customers_by_email_key ON customers (email_key);
