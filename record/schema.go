package record

import "reflect"

// Version is the version of the encoding that Append writes. It grows when a
// field goes, or changes its meaning or type; a new field alone does not change it.
const Version = 1

// A field's number in the encoding is in its tag: `cbor:"7,keyasint,omitempty"`;
// docs/evidence.md tells what the field means. omitempty leaves out what is empty.
// Types that the library takes for never empty have omitzero instead: times,
// addresses, hashes, and the structs that hold one beside other fields. A test
// compares numbers, options and reference.

// retired are the numbers of fields that went, by type. None is used again.
var retired = map[reflect.Type][]int{}
