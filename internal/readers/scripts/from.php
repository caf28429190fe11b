// Reads a From value in base64 from each line and prints, as a JSON object, the
// addresses that c-client shows, the library of Alpine and of PHP's imap functions.

// An octet that is no UTF-8 is read as ISO 8859-1.
function text($octets) {
    return mb_check_encoding($octets, 'UTF-8') ? $octets : mb_convert_encoding($octets, 'UTF-8', 'ISO-8859-1');
}

while (($line = fgets(STDIN)) !== false) {
    $value = preg_replace('/\r?\n(?=[ \t])/', '', base64_decode($line));
    $shown = [];
    foreach (@imap_rfc822_parse_adrlist($value, '') ?: [] as $address) {
        $host = $address->host ?? '';
        if ($host !== '' && $host !== '.SYNTAX-ERROR.') { // which stands for what it could not read
            $shown[] = text(($address->mailbox ?? '') . '@' . $host);
        }
    }
    imap_errors(); // or they are kept
    echo json_encode(['c-client' => $shown]), "\n";
}
