INSERT INTO subscribers
SELECT n, 'reader' || n || '@example.com', 'Reader' || n, date '2024-01-01' + n % 700
FROM generate_series(1, 2000) AS n;
