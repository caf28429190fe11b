// Package spool keeps what must survive a kill of the daemon: an append-only log of
// frames on disk, from which other parts take what they keep for long.
//
// A frame is written by write(2) before Append returns, so it outlives the process;
// once a second the files are synced, so a power cut costs a second at most. Append
// never waits longer than Options.Patience, and an error of the disk is nothing but
// a count: mail goes on.
//
// Frames are numbered from 1 without gaps. Some are records; each frame also says up
// to which number all records were answered (Frame.Answered). The fate of a record is
// known when a later frame's Answered is above its number, or when a later frame
// begins a new process; see Reader.
//
// The log is a directory of segments, each named by the number of its first frame. A
// segment is never written again by another process than the one that made it, so
// what a kill leaves behind is at most one torn frame at the end of a segment. The
// directory has an id made with it, which names the numbers: a store that has taken
// frames remembers id and number.
//
// One process at a time may write (ErrLocked). Any number may read.
package spool
