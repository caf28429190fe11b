// Package interop holds what alignd's verification of DKIM (RFC 6376) and ARC
// (RFC 8617) against signers and verifiers of other origin; it has tests only.
//
// Messages in many forms (form_test.go) are signed by each signer that can
// make the form, must verify to pass, and are then changed in small ways
// (change_test.go): most must turn the result, some must not, as the
// canonicalization says. What the others' verifiers say of all these messages
// must agree with ours, save for the disagreements that are listed with their
// reason and counted. What a signer cannot make is an exclusion, also listed
// and counted.
//
// The others are go-msgauth, which needs nothing and always runs; dkimpy; and
// libopendkim, the library below opendkim and its tools. dkimpy and libopendkim
// are driven by testdata/peers.py, in one process for thousands of jobs, when
// ALIGND_E2E=1 is set as make test does; else their tests say that they were
// left out. Keys are made afresh in each run.
package interop
