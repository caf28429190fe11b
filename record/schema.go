package record

import (
	"reflect"

	"alignd/evidence"
	"alignd/policy"
)

// Version is the version of the encoding that Append writes. It grows when a
// field changes its meaning or type; a new field alone does not change it.
const Version = 1

// keys gives the fields of a type their numbers in the encoding. A number is
// never used again: that of a field that went, or became another type, keeps ""
// and is passed over in older records.
type keys map[int]string

// schema is the one place that a new field needs beside its own: a number here.
// docs/evidence.md tells what each field means. Tests compare all three.
var schema = map[reflect.Type]keys{
	reflect.TypeFor[Record](): {
		1: "Evidence", 2: "Verdict", 3: "Outcome", 4: "Basis", 5: "Cut",
	},
	reflect.TypeFor[evidence.Message](): {
		1: "Schema", 2: "Token", 3: "QueueID", 4: "Time", 5: "MTA", 6: "Client", 7: "Looked", 8: "AuthUser", 9: "AuthType",
		10: "MailFrom", 11: "MailFromDomain", 12: "MailArgs", 13: "Recipients", 14: "From", 15: "SPF", 16: "DKIM", 17: "DKIMSkipped",
		18: "ARC", 19: "DMARC", 20: "IPRev", 21: "Traces", 22: "Received", 23: "MessageID", 24: "Key", 25: "Sample", 26: "FirstSeen",
		27: "Size", 28: "Elapsed", 29: "Problems", 30: "Failed", 31: "Deferrals",
	},
	reflect.TypeFor[evidence.Client](): {
		1: "Peer", 2: "PeerName", 3: "Port", 4: "HELO", 5: "Original", 6: "OriginalHELO", 7: "Relay", 8: "Hops", 9: "RelayProblem",
		10: "Unknown", 11: "Began",
	},
	reflect.TypeFor[evidence.Recipient](): {
		1: "Address",
	},
	reflect.TypeFor[evidence.From](): {
		1: "Fields", 2: "Domains", 3: "Partial", 4: "Problem", 5: "Detail", 6: "Fronts", 7: "Sole",
	},
	reflect.TypeFor[evidence.FrontDomain](): {
		1: "Domain", 2: "Angles",
	},
	reflect.TypeFor[evidence.SPF](): {
		1: "MailFrom", 2: "HELO",
	},
	reflect.TypeFor[evidence.SPFCheck](): {
		1: "Identity", 2: "Domain", 3: "Result", 4: "Mechanism", 5: "MechanismDomain", 6: "Explanation", 7: "Reason", 8: "Record",
		9: "Path", 10: "Lookups", 11: "Voids", 12: "Wide",
	},
	reflect.TypeFor[evidence.SPFTerm](): {
		1: "Domain", 2: "Number", 3: "Term",
	},
	reflect.TypeFor[evidence.Signature](): {
		1: "Result", 2: "Reason", 3: "FailedOn", 4: "Domain", 5: "Selector", 6: "Identity", 7: "Algorithm", 8: "B", 9: "HeaderCanon",
		10: "BodyCanon", 11: "SignedHeaders", 12: "Signed", 13: "Expires", 14: "Length", 15: "Unsigned", 16: "KeyBits",
		17: "KeyCNAMEs", 18: "KeyHash", 19: "Testing", 20: "PublicSuffix",
	},
	reflect.TypeFor[evidence.ARC](): {
		1: "Result", 2: "Reason", 3: "Temporary", 4: "Instances", 5: "OldestPass", 6: "Sets",
	},
	reflect.TypeFor[evidence.ARCSet](): {
		1: "Instance", 2: "SealDomain", 3: "SealSelector", 4: "SealCV", 5: "SealResult", 6: "MessageDomain", 7: "MessageSelector",
		8: "MessageResult", 9: "AAR",
	},
	reflect.TypeFor[evidence.AuthResults](): {
		1: "ServID", 2: "Results",
	},
	reflect.TypeFor[evidence.MethodResult](): {
		1: "Method", 2: "Result", 3: "Reason", 4: "Properties",
	},
	reflect.TypeFor[evidence.Property](): {
		1: "Type", 2: "Name", 3: "Value",
	},
	reflect.TypeFor[evidence.DMARC](): {
		1: "AuthorDomain", 2: "Result", 3: "Reason", 4: "Discovery", 5: "PolicyDomain", 6: "OrgDomain", 7: "Looked", 8: "Compared",
		9: "TTL", 10: "Existence", 11: "Published", 12: "Policy", 13: "PolicyTag", 14: "SPFAligned", 15: "DKIMAligned",
		16: "AlignedDKIM", 17: "PolicyTemporary", 18: "IdentifierTemporary", 19: "Divergence", 20: "SiteDomain", 21: "AlignedAuthors",
	},
	reflect.TypeFor[evidence.Organization](): {
		1: "Domain", 2: "OrgDomain",
	},
	reflect.TypeFor[evidence.DMARCRecord](): {
		1: "Text", 2: "P", 3: "SP", 4: "NP", 5: "StrictDKIM", 6: "StrictSPF", 7: "Testing", 8: "HasTesting", 9: "Pct", 10: "PSD",
		11: "FailureOpts", 12: "RUA", 13: "RUF", 14: "OtherRUA", 15: "Errors",
	},
	reflect.TypeFor[evidence.Divergence](): {
		1: "Discovery", 2: "Result", 3: "PolicyDomain", 4: "OrgDomain", 5: "Policy",
	},
	reflect.TypeFor[evidence.IPRev](): {
		1: "Result", 2: "Names", 3: "Unconfirmed", 4: "Reason",
	},
	reflect.TypeFor[evidence.Traces](): {
		1: "ListID", 2: "List", 3: "Resent", 4: "Forwarded", 5: "ARC", 6: "Received",
	},
	reflect.TypeFor[evidence.Hop](): {
		1: "From", 2: "Addr", 3: "By", 4: "With", 5: "Time", 6: "Problem", 7: "Queued", 8: "Socket",
	},
	reflect.TypeFor[evidence.FailedQuestion](): {
		1: "Name", 2: "Type", 3: "RCode", 4: "Why",
	},
	reflect.TypeFor[policy.Verdict](): {
		1: "Disposition", 2: "Delivery", 3: "Requested", 4: "Step", 5: "Rule", 6: "File", 7: "Line", 8: "Reason", 9: "Override",
		10: "OverrideComment", 11: "Reply", 12: "TagName", 13: "TagValue", 14: "Evaluation", 15: "NotJudged", 16: "Monitor",
		17: "Stage", 18: "Recipient", 19: "TrustedSealer", 20: "Signals", 21: "Undecidable", 22: "Waited",
	},
	reflect.TypeFor[policy.Reply](): {
		1: "Code", 2: "Enhanced", 3: "Text",
	},
	reflect.TypeFor[policy.Outcome](): {
		1: "Disposition", 2: "Delivery", 3: "Reply",
	},
	reflect.TypeFor[Outcome](): {
		1: "End", 2: "Reply", 3: "Delivered", 4: "Problem", 5: "AuthservID", 6: "Deleted", 7: "Receiving", 8: "Checking",
	},
	reflect.TypeFor[Basis](): {
		1: "Program", 2: "Config", 3: "Options",
	},
	reflect.TypeFor[Options](): {
		1: "Discovery", 2: "PSLGuard", 3: "CompareDiscovery", 4: "MaxSignatures", 5: "MaxFromDomains", 6: "AcceptLength",
		7: "MinLengthPercent", 8: "ClockSkew", 9: "SPFTimeout", 10: "SPFVoids", 11: "MaxQueries", 12: "Timeout", 13: "Needs",
		14: "LeadingSpace", 15: "AcceptPartlySigned", 16: "IgnoreWideSPF",
	},
	reflect.TypeFor[evidence.Needs](): {
		1: "IPRev", 2: "OrgDomain", 3: "Existence",
	},
}
