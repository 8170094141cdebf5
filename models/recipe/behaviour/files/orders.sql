CREATE TABLE customer (
    id      INTEGER PRIMARY KEY,
    name    VARCHAR(80) NOT NULL,
    country CHAR(2)
);

CREATE TABLE orders (
    id          INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    placed      DATE NOT NULL,
    total       DECIMAL(10, 2)
);

INSERT INTO customer (id, name, country) VALUES (1, 'Berger', 'DE'), (2, 'Nair', 'IN');
INSERT INTO orders VALUES (1, 1, '2024-02-11', 49.90), (2, 2, '2024-02-12', 15.00);

SELECT c.country, COUNT(*) AS orders, SUM(o.total) AS total
FROM orders o
JOIN customer c ON c.id = o.customer_id
GROUP BY c.country
ORDER BY total DESC;
