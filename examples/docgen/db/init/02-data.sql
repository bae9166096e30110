INSERT INTO templates (name, body) VALUES
    ('invoice',       E'Invoice\n\n{customer}\n{city}\n\nPlease pay the amount below within 14 days.\n'),
    ('reminder',      E'Reminder\n\n{customer}\n{city}\n\nPerhaps our invoice escaped your attention.\n'),
    ('receipt',       E'Receipt\n\n{customer}\n{city}\n\nThank you, we have received your payment.\n'),
    ('quote',         E'Quote\n\n{customer}\n{city}\n\nWe are glad to offer you the following.\n'),
    ('contract',      E'Contract\n\nbetween us and {customer} of {city}.\n'),
    ('welcome',       E'Welcome, {customer}!\n\nIt is good to have you with us in {city}.\n'),
    ('statement',     E'Statement\n\n{customer}\n{city}\n\nYour account over the last quarter.\n'),
    ('delivery-note', E'Delivery note\n\nTo {customer}, {city}.\n'),
    ('credit-note',   E'Credit note\n\n{customer}\n{city}\n\nThe amount below has been credited to you.\n'),
    ('farewell',      E'Goodbye, {customer}.\n\nGive our regards to {city}.\n');

INSERT INTO customers (id, name, city)
SELECT n,
       'Customer ' || n,
       (ARRAY['Lisbon', 'Ghent', 'Turin', 'Malmö', 'Graz', 'Cork', 'Gdańsk'])[n % 7 + 1]
FROM generate_series(1, 5000) AS n;

ANALYZE;
