INSERT INTO letters
SELECT n, 'Customer ' || n, CASE WHEN n % 5 = 0 THEN 'iso-8859-1' ELSE 'utf-8' END, convert_to('Please call me back, ' || n, 'UTF8')
FROM generate_series(1, 3000) AS n;
