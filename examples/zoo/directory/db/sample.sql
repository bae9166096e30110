INSERT INTO customers (id, email, city, notes)
SELECT n, 'Customer' || n || '@example.com', 'Ghent', 'Likes to be called in the morning.'
FROM generate_series(1, 500) AS n;
