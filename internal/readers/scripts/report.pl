# Reads the mail of a DMARC aggregate report in base64 from each line and prints,
# as a JSON object, the rows that Perl's Mail::DMARC shows. They are not stored.
use strict;
use warnings;
use Mail::DMARC::Report::Receive;
use Email::Simple;
use JSON::PP;
use MIME::Base64;

open my $out, '>&', \*STDOUT or die $!;
$out->autoflush(1);
open STDOUT, '>', '/dev/null' or die $!; # where the module prints subjects
my $json = JSON::PP->new->ascii->canonical;
{
    no warnings 'redefine';
    *Mail::DMARC::Report::save_aggregate = sub { 1 };
}

while (my $line = <STDIN>) {
    my %answer;
    eval {
        my $receive = Mail::DMARC::Report::Receive->new;
        $receive->from_email_simple(Email::Simple->new(decode_base64($line)));
        my @rows;
        for my $record (@{ $receive->report->aggregate->record || [] }) {
            my $done = $record->row->policy_evaluated;
            push @rows, join "\t", $record->row->source_ip, $done->disposition, $done->dkim, $done->spf, $record->row->count;
        }
        $answer{'Perl Mail::DMARC'} = \@rows;
        1;
    } or $answer{refused} = ["$@"];
    print $out $json->encode(\%answer), "\n";
}
