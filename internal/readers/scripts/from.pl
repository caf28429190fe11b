# Reads a From value in base64 from each line and prints, as a JSON object, the
# addresses that each of Perl's parsers shows.
use strict;
use warnings;
use Email::Address::XS;
use Mail::Address;
use JSON::PP;
use MIME::Base64;
use Encode;

$| = 1;
my $json = JSON::PP->new->ascii->canonical;

# An octet that is no UTF-8 is read as ISO 8859-1.
sub text {
    my ($octets) = @_;
    return Encode::decode('UTF-8', $octets, sub { join '', map { chr } @_ });
}

# Encode takes octets, so only the encoded words are given to it.
sub decoded {
    my ($text) = @_;
    my $word = qr/=\?[^?\s]*\?[bq]\?[^?]*\?=/i;
    $text =~ s{($word(?:\s*$word)*)}{ eval { Encode::decode('MIME-Header', Encode::encode('UTF-8', "$1")) } // "$1" }ge;
    return $text;
}

sub xs {
    return map { $_->address // join '@', grep { defined } $_->user, $_->host } Email::Address::XS->parse($_[0]);
}

sub tools {
    return map { $_->address } Mail::Address->parse($_[0]);
}

while (my $line = <STDIN>) {
    my $raw = decode_base64($line);
    my %answer;
    my %readers = ('Email::Address::XS' => \&xs, 'Mail::Address' => \&tools);
    local $SIG{__WARN__} = sub { };
    for my $name (keys %readers) {
        my $read = $readers{$name};
        for my $mode ('', ', decoded before') {
            eval {
                my $value = $mode ? decoded(text($raw)) : text($raw);
                $answer{"Perl $name$mode"} = [ map { "$_" } grep { defined } $read->($value) ];
            };
        }
    }
    print $json->encode(\%answer), "\n";
}
