package spf

import "alignd/evidence"

// pyspf reads a "default" modifier in two modes of its own; RFC 7208 section
// 6 says that unrecognized modifiers are ignored.
var pyspfExceptions = map[string]exception{
	"corner cases: default-modifier":       {want: evidence.Neutral, why: "default= is an unknown modifier, RFC 7208 section 6"},
	"corner cases: default-modifier-harsh": {want: evidence.Neutral, why: `"ambiguous" is no result of RFC 7208`},
}

// The module's own suite often uses names of one label, which check_host()
// may neither be asked about nor find in a record. TestSuitesWithQualifiedNames
// shows that nothing else in these cases differs.
var blitiriExceptions = map[string]exception{
	"Resolution limits: resolution-with-10-lookups": {want: evidence.PermError, why: singleLabelTarget},

	"Lookup limit boundary: lookup-limit-at-10":         {want: evidence.None, why: singleLabelSender},
	"Lookup limit boundary: lookup-limit-at-10-matches": {want: evidence.None, why: singleLabelSender},
	"Lookup limit boundary: lookup-limit-over-a":        {want: evidence.None, why: singleLabelSender},
	"Lookup limit boundary: lookup-limit-over-mx":       {want: evidence.None, why: singleLabelSender},
	"Lookup limit boundary: lookup-limit-over-exists":   {want: evidence.None, why: singleLabelSender},
	"Lookup limit boundary: lookup-limit-over-ptr":      {want: evidence.None, why: singleLabelSender},
	"Lookup limit boundary: lookup-limit-over-no-match": {want: evidence.None, why: singleLabelSender},

	"Void lookup limit: void-limit-at-2":            {want: evidence.None, why: singleLabelSender},
	"Void lookup limit: void-limit-over-a":          {want: evidence.None, why: singleLabelSender},
	"Void lookup limit: void-limit-over-mx":         {want: evidence.None, why: singleLabelSender},
	"Void lookup limit: void-limit-over-exists":     {want: evidence.None, why: singleLabelSender},
	"Void lookup limit: void-limit-over-ptr":        {want: evidence.None, why: singleLabelSender},
	"Void lookup limit: void-limit-over-in-include": {want: evidence.None, why: singleLabelSender},

	"MX resolution limits: mx-resolution-10-terms": {want: evidence.None, why: singleLabelSender},
	"MX resolution limits: mx-resolution-11-terms": {want: evidence.None, why: singleLabelSender},

	"PTR resolution limits: ptr-resolution-10-terms":    {want: evidence.None, why: singleLabelSender},
	"PTR resolution limits: ptr-resolution-11-terms":    {want: evidence.None, why: singleLabelSender},
	"PTR resolution limits: ptr-resolution-mixed-terms": {want: evidence.None, why: singleLabelSender},

	"NXDOMAIN tests: one-mx-not-found":   {want: evidence.None, why: singleLabelSender},
	"NXDOMAIN tests: all-mx-not-found":   {want: evidence.None, why: singleLabelSender},
	"NXDOMAIN tests: include-not-found":  {want: evidence.None, why: singleLabelSender},
	"NXDOMAIN tests: redirect-not-found": {want: evidence.None, why: singleLabelSender},
}
