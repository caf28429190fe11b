# Reads an Authentication-Results value in base64 from each line and prints, as
# a JSON object, the results that Perl's Mail::AuthenticationResults shows.
use strict;
use warnings;
use Mail::AuthenticationResults;
use JSON::PP;
use MIME::Base64;
use Encode;

$| = 1;
my $json = JSON::PP->new->ascii->canonical;

# The children of an entry are properties, the reason and comments.
sub words {
    my ($entry) = @_;
    my @of = grep { ref($_) =~ /::SubEntry$/ } @{ $entry->children };
    return map { $_->key . '=' . $_->value } $entry, @of;
}

while (my $line = <STDIN>) {
    my %answer;
    eval {
        my $header = Mail::AuthenticationResults->parser->parse(Encode::decode('UTF-8', decode_base64($line)));
        my @entries = grep { ref($_) =~ /::Entry$/ } @{ $header->children };
        $answer{'Perl Mail::AuthenticationResults'} = [ $header->value->value, map { join "\t", words($_) } @entries ];
        1;
    } or print STDERR $line, $@;
    print $json->encode(\%answer), "\n";
}
