// Package e2e holds the tests that run alignd as its own process: every folder
// of testdata/cases through alignd check, through a milter session, and
// through a real Postfix.
//
// go test ./e2e needs neither root nor an MTA and says what it left out; with
// ALIGND_E2E=1, as make test sets it, nothing is left out and a missing
// Postfix is a failure. ALIGND_BINARY names a built alignd; without it the
// tests build one.
package e2e
