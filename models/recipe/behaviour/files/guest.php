<?php
declare(strict_types=1);

require __DIR__ . '/db.php';

$name = trim($_POST['name'] ?? '');
if ($name !== '') {
    $statement = $db->prepare('INSERT INTO guest (name, day) VALUES (?, ?)');
    $statement->execute([$name, date('Y-m-d')]);
}
$guests = $db->query('SELECT name FROM guest ORDER BY day DESC')->fetchAll();
?>
<ul>
<?php foreach ($guests as $guest): ?>
  <li><?= htmlspecialchars($guest['name']) ?></li>
<?php endforeach ?>
</ul>
