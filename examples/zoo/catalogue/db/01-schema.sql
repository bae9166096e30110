CREATE TABLE products (
    id          integer PRIMARY KEY,
    category_id integer NOT NULL,
    name        text NOT NULL,
    cents       integer NOT NULL
);

CREATE INDEX products_of_category ON products (category_id);

CREATE TABLE stock (
    product_id   integer NOT NULL REFERENCES products (id),
    warehouse_id integer NOT NULL,
    units        integer NOT NULL,
    PRIMARY KEY (product_id, warehouse_id)
);

INSERT INTO products SELECT n, n % 50 + 1, 'Product ' || n, 300 + n FROM generate_series(1, 600) AS n;
INSERT INTO stock SELECT p, w, (p * w) % 70 FROM generate_series(1, 600) AS p, generate_series(1, 3) AS w;
ANALYZE;
