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

# characters of octets that may be UTF-8 or not
sub text {
    my ($octets) = @_;
    my $copy = $octets;
    my $text = eval { Encode::decode('UTF-8', $copy, Encode::FB_CROAK) };
    return defined $text ? $text : Encode::decode('ISO-8859-1', $octets);
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
                my $value = $mode ? Encode::decode('MIME-Header', $raw) : text($raw);
                $answer{"Perl $name$mode"} = [ map { "$_" } grep { defined } $read->($value) ];
            };
        }
    }
    print $json->encode(\%answer), "\n";
}
