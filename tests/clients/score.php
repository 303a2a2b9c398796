<?php
[, $url, $key, $body] = $argv;
$headers = "Authorization: Bearer $key\r\nContent-Type: application/json";
echo file_get_contents($url, false, stream_context_create(
    ["http" => ["method" => "POST", "header" => $headers, "content" => $body, "ignore_errors" => true]]
));
