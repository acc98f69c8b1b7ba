<?php
/*
 * The list that one would write first in PHP: the 50 newest events of a symbol, PDO and SQLite. Kept connection, prepared
 * statement, the index that fits; bodies are stored as JSON and put together, not decoded.
 * Environment: BENCH_DATABASE.
 */
$db = new PDO('sqlite:' . getenv('BENCH_DATABASE'), null, null, [
    PDO::ATTR_PERSISTENT => true,
    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
    PDO::SQLITE_ATTR_OPEN_FLAGS => PDO::SQLITE_OPEN_READONLY,
]);
$limit = min(1000, max(1, (int)($_GET['limit'] ?? 100)));
$query = $db->prepare('SELECT body FROM events WHERE symbol = :symbol ORDER BY seq DESC LIMIT :limit');
$query->bindValue(':symbol', strtoupper($_GET['symbol'] ?? ''));
$query->bindValue(':limit', $limit, PDO::PARAM_INT);
$query->execute();
$rows = $query->fetchAll(PDO::FETCH_COLUMN);
header('Content-Type: application/json');
header('Cache-Control: no-cache');
echo '{"data":[', implode(',', $rows), '],"count":', count($rows), ',"as_of":', json_encode(microtime(true)), '}';
