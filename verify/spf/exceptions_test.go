package spf

import "alignd/evidence"

// pyspf reads a "default" modifier in two modes of its own; RFC 7208 section
// 6 says that unrecognized modifiers are ignored.
var pyspfExceptions = map[string]exception{
	"corner cases: default-modifier":       {evidence.Neutral, "default= is an unknown modifier, RFC 7208 section 6"},
	"corner cases: default-modifier-harsh": {evidence.Neutral, `"ambiguous" is no result of RFC 7208`},
}

// The module's own suite often uses names of one label, which check_host()
// may neither be asked about nor find in a record. TestSuitesWithQualifiedNames
// shows that nothing else in these cases differs.
var blitiriExceptions = map[string]exception{
	"Resolution limits: resolution-with-10-lookups": {evidence.PermError, singleLabelTarget},

	"Lookup limit boundary: lookup-limit-at-10":         {evidence.None, singleLabelSender},
	"Lookup limit boundary: lookup-limit-at-10-matches": {evidence.None, singleLabelSender},
	"Lookup limit boundary: lookup-limit-over-a":        {evidence.None, singleLabelSender},
	"Lookup limit boundary: lookup-limit-over-mx":       {evidence.None, singleLabelSender},
	"Lookup limit boundary: lookup-limit-over-exists":   {evidence.None, singleLabelSender},
	"Lookup limit boundary: lookup-limit-over-ptr":      {evidence.None, singleLabelSender},
	"Lookup limit boundary: lookup-limit-over-no-match": {evidence.None, singleLabelSender},

	"Void lookup limit: void-limit-at-2":            {evidence.None, singleLabelSender},
	"Void lookup limit: void-limit-over-a":          {evidence.None, singleLabelSender},
	"Void lookup limit: void-limit-over-mx":         {evidence.None, singleLabelSender},
	"Void lookup limit: void-limit-over-exists":     {evidence.None, singleLabelSender},
	"Void lookup limit: void-limit-over-ptr":        {evidence.None, singleLabelSender},
	"Void lookup limit: void-limit-over-in-include": {evidence.None, singleLabelSender},

	"MX resolution limits: mx-resolution-10-terms": {evidence.None, singleLabelSender},
	"MX resolution limits: mx-resolution-11-terms": {evidence.None, singleLabelSender},

	"PTR resolution limits: ptr-resolution-10-terms":    {evidence.None, singleLabelSender},
	"PTR resolution limits: ptr-resolution-11-terms":    {evidence.None, singleLabelSender},
	"PTR resolution limits: ptr-resolution-mixed-terms": {evidence.None, singleLabelSender},

	"NXDOMAIN tests: one-mx-not-found":   {evidence.None, singleLabelSender},
	"NXDOMAIN tests: all-mx-not-found":   {evidence.None, singleLabelSender},
	"NXDOMAIN tests: include-not-found":  {evidence.None, singleLabelSender},
	"NXDOMAIN tests: redirect-not-found": {evidence.None, singleLabelSender},
}
