package read

// Aggregate is one aggregate report without its records (RFC 9990 section 3.1).
// What the reporter left out is empty.
type Aggregate struct {
	OrgName   string   `json:"org_name,omitempty"`
	Email     string   `json:"email,omitempty"`
	Contact   string   `json:"extra_contact_info,omitempty"`
	ReportID  string   `json:"report_id,omitempty"`
	Begin     string   `json:"begin,omitempty"` // RFC 3339, UTC
	End       string   `json:"end,omitempty"`
	Domain    string   `json:"domain,omitempty"`
	Version   string   `json:"version,omitempty"`
	Generator string   `json:"generator,omitempty"`
	Errors    []string `json:"errors,omitempty"`
	Policy    Policy   `json:"policy,omitzero"`
}

// Policy is policy_published.
type Policy struct {
	P         string `json:"p,omitempty"`
	SP        string `json:"sp,omitempty"`
	NP        string `json:"np,omitempty"`
	ADKIM     string `json:"adkim,omitempty"`
	ASPF      string `json:"aspf,omitempty"`
	Pct       *int   `json:"pct,omitempty"`
	FO        string `json:"fo,omitempty"`
	Testing   string `json:"testing,omitempty"`
	Discovery string `json:"discovery_method,omitempty"`
}

// Record is one row with what belongs to it.
type Record struct {
	SourceIP     string      `json:"source_ip,omitempty"`
	Count        *int64      `json:"count,omitempty"` // nil where it is no number
	Disposition  string      `json:"disposition,omitempty"`
	DKIM         string      `json:"dkim,omitempty"` // aligned result
	SPF          string      `json:"spf,omitempty"`
	Reasons      []Reason    `json:"reasons,omitempty"`
	HeaderFrom   string      `json:"header_from,omitempty"`
	EnvelopeFrom *string     `json:"envelope_from,omitempty"` // empty for the null reverse-path
	EnvelopeTo   string      `json:"envelope_to,omitempty"`
	AuthResults  AuthResults `json:"auth_results,omitzero"`
}

// Reason says why the policy was not applied as published.
type Reason struct {
	Type    string `json:"type,omitempty"`
	Comment string `json:"comment,omitempty"`
}

// AuthResults are the raw results.
type AuthResults struct {
	DKIM []DKIMResult `json:"dkim,omitempty"`
	SPF  []SPFResult  `json:"spf,omitempty"`
}

// DKIMResult is one signature's.
type DKIMResult struct {
	Domain   string `json:"domain,omitempty"`
	Selector string `json:"selector,omitempty"`
	Result   string `json:"result,omitempty"`
	Human    string `json:"human_result,omitempty"`
}

// SPFResult is one identity's.
type SPFResult struct {
	Domain string `json:"domain,omitempty"`
	Scope  string `json:"scope,omitempty"`
	Result string `json:"result,omitempty"`
	Human  string `json:"human_result,omitempty"`
}

// Failure is one failure report (RFC 9991 section 4, RFC 6591 section 3).
type Failure struct {
	FeedbackType      string `json:"feedback_type,omitempty"`
	AuthFailure       string `json:"auth_failure,omitempty"`
	ReportedDomain    string `json:"reported_domain,omitempty"`
	SourceIP          string `json:"source_ip,omitempty"`
	OriginalMailFrom  string `json:"original_mail_from,omitempty"`
	ArrivalDate       string `json:"arrival_date,omitempty"`
	IdentityAlignment string `json:"identity_alignment,omitempty"`
	// Fields are all fields of the report by lower-case name; several of one name
	// are divided by LF.
	Fields map[string]string `json:"fields"`
}

// Problem is something that could not be read, or is not as it should be.
type Problem struct {
	File string `json:"file"`
	Part string `json:"part,omitempty"` // the way to it: "attachment 2 > zip member r.xml"
	// Problem is one sentence; it may quote the report.
	Problem string `json:"problem"`
}

// Sink takes what is read, in the order of the files. It need not be safe for
// concurrent use.
type Sink interface {
	// Aggregate takes a report. records yields its records once; each is valid
	// until the next one.
	Aggregate(head *Aggregate, records *Records) error
	Failure(*Failure) error
	Problem(Problem)
}
