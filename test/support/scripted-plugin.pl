#!/usr/bin/perl
# A CNI plugin for tests: does what <base>/script/<name>.<VERB> says and records what it was given in <base>/calls.
# Installed as <base>/bin/<name>. The script's lines up to an empty one are directives, the rest is its stdout:
#   exit N · die SIGNAL · sleep SECONDS · no-read (leaves stdin alone) · ignore-term · hold SECONDS (a child keeps stdout
#   open) · flood stdout|stderr BYTES · stderr TEXT (\n for a new line) · touch FILE
# In stdout %VERSION% becomes the version asked in. Without a script: ADD answers prevResult, or one interface with one
# address; VERSION all versions; other verbs nothing. Perl without modules: 3 ms a call.
use strict;
use warnings;

my ($base, $name) = $0 =~ m{^(.*)/bin/([^/]+)$} or die "unexpected path $0";
my $verb = $ENV{CNI_COMMAND} // '';
my $script = "$base/script/$name.$verb";
my ($directives, $answer) = ('', undef);
if (open my $file, '<:raw', $script) {
    local $/;
    ($directives, $answer) = split /\n\n/, <$file>, 2;
}
my @directives = split /\n/, $directives;

my $stdin = '';
if (!grep { $_ eq 'no-read' } @directives) { local $/; $stdin = <STDIN> // ''; }

my $temporary = "$base/calls/$$.tmp";
open my $call, '>:raw', $temporary or die "cannot record: $!";
print $call join("\0", $name, $$, getpgrp(0), scalar(@ARGV), (map { "$_=$ENV{$_}" } sort keys %ENV)), "\0\0", $stdin;
close $call;
my $number = 1;
# link has one winner for each number, when several record at once
$number++ while !link($temporary, sprintf '%s/calls/%04d', $base, $number) && -e sprintf '%s/calls/%04d', $base, $number;
unlink $temporary or die "cannot record: $!";

my ($version) = $stdin =~ /"name":"[^"]*","cniVersion":"([^"]+)"/;
$version //= '1.1.0';
my ($exit, $died) = (0, 0);
$| = 1;
for (@directives) {
    my ($word, $rest) = split / /, $_, 2;
    if ($word eq 'exit') { $exit = $rest }
    elsif ($word eq 'die') { $died = $rest }
    elsif ($word eq 'sleep') { sleep $rest }
    elsif ($word eq 'ignore-term') { $SIG{TERM} = 'IGNORE' }
    elsif ($word eq 'flood') { my ($to, $bytes) = split / /, $rest; my $handle = $to eq 'stderr' ? \*STDERR : \*STDOUT; print $handle 'x' x $bytes }
    elsif ($word eq 'stderr') { $rest =~ s/\\n/\n/g; print STDERR $rest }
    elsif ($word eq 'touch') { open my $file, '>', $rest }
    elsif ($word eq 'hold') {
        my $child = fork() // die "cannot fork: $!";
        if (!$child) { sleep $rest; exit 0 }
        open my $file, '>', "$base/held"; print $file $child;
    }
}
if (!defined $answer) {
    if ($verb eq 'VERSION') { $answer = '{"cniVersion":"1.1.0","supportedVersions":["0.3.1","0.4.0","1.0.0","1.1.0"]}' }
    elsif ($verb ne 'ADD') { $answer = '' }
    elsif ($stdin =~ /"prevResult":(\{.*\})\}$/) { $answer = $1 }
    else { $answer = '{"cniVersion":"%VERSION%","interfaces":[{"name":"eth0"}],"ips":[{"address":"10.0.0.2/24","interface":0}]}' }
}
$answer =~ s/%VERSION%/$version/g;
print $answer;
kill $died, $$ if $died;
exit $exit;
