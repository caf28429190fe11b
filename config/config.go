// Package config is what an admin may write: schema, defaults, validation with
// line numbers, and the way from there to policy.Rules.
//
// The file is YAML and read strictly: an unknown key, a wrong type or a
// contradiction is a Problem with file, line, column and what is allowed.
// defaults.yaml holds every option with its default and its description; it is
// what `alignd config defaults` prints and what Load starts from, so the two
// cannot differ.
package config

import (
	"net/netip"
	"reflect"
	"time"

	"alignd/policy"
)

// DefaultFile is read when no file is named; it may be absent.
const DefaultFile = "/etc/alignd/alignd.yaml"

// Config is one configuration file. The fields are described in defaults.yaml.
type Config struct {
	Mode policy.Mode `yaml:"mode" oneof:"enforce monitor"`

	Listen      []string `yaml:"listen" is:"listen"`
	SocketMode  FileMode `yaml:"socket_mode"`
	SocketGroup string   `yaml:"socket_group"`
	LogLevel    string   `yaml:"log_level" oneof:"debug info warn error"`
	LogFormat   string   `yaml:"log_format" oneof:"auto text json journald"`
	// LogAddresses: the line of a message has addresses with local parts.
	LogAddresses bool     `yaml:"log_addresses"`
	Drain        Duration `yaml:"drain" min:"0s" max:"5m"`
	Preview      Duration `yaml:"preview" min:"0s" max:"30d"`
	PreviewLimit []string `yaml:"preview_limit"`

	AuthservID     string   `yaml:"authserv_id" is:"optional_domain"`
	OwnAuthservIDs []string `yaml:"own_authserv_ids" is:"domain"`
	// AuthservIDCovers says how far an id stands for the site.
	AuthservIDCovers string `yaml:"authserv_id_covers" oneof:"site name"`
	// CompareWith are the authserv-ids of filters in front that alignd runs beside.
	CompareWith    []string `yaml:"compare_with" is:"domain" json:",omitempty"`
	Strip          string   `yaml:"strip" oneof:"own all none"`
	ReceivedSPF    bool     `yaml:"received_spf"`
	SamplingSecret string   `yaml:"sampling_secret" secret:"true"`

	Discovery        string `yaml:"discovery" oneof:"treewalk psl"`
	CompareDiscovery bool   `yaml:"compare_discovery"`
	PSLGuard         bool   `yaml:"psl_guard"`
	IPRev            bool   `yaml:"iprev"`

	Handling `yaml:"-"`
	Rollout  []Stage `yaml:"rollout"`

	PermError       policy.Action `yaml:"permerror" oneof:"accept tag hold quarantine tempfail reject"`
	SPFFail         policy.Action `yaml:"spf_fail" oneof:"accept tag hold quarantine reject"`
	Unauthenticated policy.Action `yaml:"unauthenticated" oneof:"accept tag hold quarantine reject"`
	TempError       TempError     `yaml:"temperror"`
	TempErrorFor    Duration      `yaml:"temperror_for" min:"1s" max:"5d"`
	OnError         policy.Action `yaml:"on_error" oneof:"tempfail accept reject"`

	NotJudged NotJudged `yaml:"not_judged"`
	From      From      `yaml:"from"`

	OwnDomains         []OwnDomains `yaml:"own_domains"`
	Domains            []DomainRule `yaml:"domains"`
	Profiles           []Profile    `yaml:"profiles"`
	RecipientDelimiter string       `yaml:"recipient_delimiter" is:"delimiters"`
	Exceptions         []Exception  `yaml:"exceptions"`
	TrustedSealers     []Sealer     `yaml:"trusted_sealers"`
	TrustedRelays      []Relay      `yaml:"trusted_relays"`

	Tag     Tag     `yaml:"tag"`
	Replies Replies `yaml:"replies"`

	DKIM   DKIM   `yaml:"dkim"`
	SPF    SPF    `yaml:"spf"`
	DNS    DNS    `yaml:"dns"`
	Limits Limits `yaml:"limits"`

	Metrics Metrics `yaml:"metrics" json:",omitzero"`
	Journal Journal `yaml:"journal" json:",omitzero"`
	Reports Reports `yaml:"reports" json:",omitzero"`
	Web     Web     `yaml:"web" json:",omitzero"`

	// Warnings are findings that do not stop alignd, such as expired entries.
	Warnings Problems `yaml:"-"`
	// Files are what it was read from.
	Files []File `yaml:"-"`
	// Rules is the decision part, compiled.
	Rules *policy.Rules `yaml:"-"`

	// places is where each option stands that is written down, by its path; what is
	// written in an entry of a list is in its Place.
	places map[string]Position
	// broken are the paths of those that have a fault.
	broken map[string]bool
}

// Handling is how published policies are honoured; it stands at the top level
// and in each entry of domains and profiles.
type Handling struct {
	Honor          Honor             `yaml:"honor"`
	RejectMode     policy.RejectMode `yaml:"reject_mode" oneof:"strict corroborated"`
	CorroboratedBy []policy.Signal   `yaml:"corroborated_by" oneof:"direct no_broken_signature spf_fail nonexistent own_domain no_reverse_dns"`
	Pct            policy.PctMode    `yaml:"pct" oneof:"honor zero_as_test ignore"`
	QuarantineAs   policy.Action     `yaml:"quarantine_as" oneof:"tag hold reject"`
}

// Honor says what is done for each published policy.
type Honor struct {
	Reject     policy.Action `yaml:"reject" oneof:"reject quarantine tag hold accept"`
	Quarantine policy.Action `yaml:"quarantine" oneof:"quarantine reject tag hold accept"`
	None       policy.Action `yaml:"none" oneof:"accept tag hold quarantine reject"`
}

// Stage is one step of a rollout.
type Stage struct {
	At Place `yaml:"-" json:"-"`

	Stage   policy.StageName `yaml:"stage" oneof:"monitor tag quarantine reject"`
	From    Time             `yaml:"from"`
	Percent int              `yaml:"percent" min:"1" max:"100"`
	StopIf  StopIf           `yaml:"stop_if"`
}

// StopIf says what stops a stage. The zero value stops nothing.
type StopIf struct {
	FailingShare   string   `yaml:"failing_share" is:"share"`
	Messages       int      `yaml:"messages" min:"1" max:"1000000"`
	PassingRefused string   `yaml:"passing_refused" is:"number"`
	Over           Duration `yaml:"over" min:"1h" max:"30d"`
}

// What of StopIf holds where it does not say; ours.
const (
	defaultStopMessages = 20
	defaultStopOver     = 6 * time.Hour
)

// TempError says what is done when DNS failed for now.
type TempError struct {
	PolicyUnknown policy.Action `yaml:"policy_unknown" oneof:"accept tag tempfail"`
	Unresolved    policy.Action `yaml:"unresolved" oneof:"tempfail accept tag"`
	Expired       policy.Action `yaml:"expired" oneof:"accept tag"`
}

// NotJudged lists whose mail is not judged.
type NotJudged struct {
	Authenticated bool           `yaml:"authenticated"`
	Loopback      bool           `yaml:"loopback"`
	Networks      []netip.Prefix `yaml:"networks"`
}

// From says what is done with a From that gives no single Author Domain.
type From struct {
	Missing    policy.Action `yaml:"missing" oneof:"reject quarantine tag hold tempfail accept"`
	Several    policy.Action `yaml:"several" oneof:"reject quarantine tag hold tempfail accept"`
	TooMany    policy.Action `yaml:"too_many" oneof:"reject quarantine tag hold tempfail accept"`
	Empty      policy.Action `yaml:"empty" oneof:"reject quarantine tag hold tempfail accept"`
	Unparsable policy.Action `yaml:"unparsable" oneof:"reject quarantine tag hold tempfail accept"`
	MaxDomains int           `yaml:"max_domains" min:"1" max:"20"`
}

// OwnDomains are domains of this site.
type OwnDomains struct {
	At Place `yaml:"-" json:"-"`

	ID      string        `yaml:"id"`
	Domains []string      `yaml:"domains" is:"domain_pattern"`
	Action  policy.Action `yaml:"action" oneof:"reject quarantine tag hold"`
}

// DomainRule overrides Handling for some Author Domains.
type DomainRule struct {
	At Place `yaml:"-" json:"-"`

	ID            string   `yaml:"id"`
	AuthorDomains []string `yaml:"author_domains" is:"author_pattern"`
	Handling      `yaml:"-"`
	Rollout       []Stage `yaml:"rollout"`
}

// Profile overrides Handling for some recipients.
type Profile struct {
	At Place `yaml:"-" json:"-"`

	ID         string   `yaml:"id"`
	Recipients []string `yaml:"recipients" is:"address_pattern"`
	File       string   `yaml:"file"`
	Handling   `yaml:"-"`
	Rollout    []Stage `yaml:"rollout"`
}

// Exception is one exception, or the name of a file with more of them.
type Exception struct {
	At Place `yaml:"-" json:"-"`

	File string `yaml:"file"`

	ID     string        `yaml:"id"`
	Kind   policy.Kind   `yaml:"kind" oneof:"allow block"`
	Action policy.Action `yaml:"action" oneof:"accept tag hold quarantine tempfail reject"`
	Scope  Scope         `yaml:"scope"`
	Proof  Proof         `yaml:"proof"`

	Reason       string              `yaml:"reason"`
	Owner        string              `yaml:"owner"`
	Ticket       string              `yaml:"ticket"`
	Expires      Time                `yaml:"expires"`
	NeverExpires bool                `yaml:"never_expires"`
	Override     policy.OverrideType `yaml:"override" oneof:"local_policy mailing_list trusted_forwarder other"`
}

// Scope says which mail an exception is about: the fields of policy.Scope.
type Scope struct {
	AuthorDomains []string `yaml:"author_domains" is:"author_pattern"`
	MailFrom      []string `yaml:"mail_from" is:"address_pattern"`
	Recipients    []string `yaml:"recipients" is:"address_pattern"`
	ListIDs       []string `yaml:"list_ids" is:"list_pattern"`
}

// Proof is what the sender cannot choose: the fields of policy.Proof.
type Proof struct {
	Clients []netip.Prefix `yaml:"clients"`
	PTR     []string       `yaml:"ptr" is:"domain_pattern"`
	DKIM    []string       `yaml:"dkim" is:"domain_pattern"`
	SPF     []string       `yaml:"spf" is:"domain_pattern"`
	Sealers []string       `yaml:"sealers"`
}

// Sealer is a trusted ARC Sealer.
type Sealer struct {
	At Place `yaml:"-" json:"-"`

	ID            string                `yaml:"id"`
	Domains       []string              `yaml:"domains" is:"domain_pattern"`
	Selectors     []string              `yaml:"selectors" is:"selector"`
	AuthorDomains []string              `yaml:"author_domains" is:"author_pattern"`
	Recipients    []string              `yaml:"recipients" is:"address_pattern"`
	Clients       []netip.Prefix        `yaml:"clients"`
	Require       policy.RequiredResult `yaml:"require" oneof:"dmarc aligned"`
	AuthservIDs   []string              `yaml:"authserv_ids" is:"serv_id_pattern"`
	Unmodified    bool                  `yaml:"unmodified"`
}

// Relay is a trusted relay in front of this host.
type Relay struct {
	At Place `yaml:"-" json:"-"`

	ID             string         `yaml:"id"`
	Peers          []netip.Prefix `yaml:"peers"`
	Skip           []netip.Prefix `yaml:"skip"`
	By             []string       `yaml:"by" is:"host_pattern"`
	PrivateHops    bool           `yaml:"private_hops"`
	MaxHops        int            `yaml:"max_hops" min:"1" max:"50"`
	OnParseFailure string         `yaml:"on_parse_failure" oneof:"peer none"`
	Reject         policy.Action  `yaml:"reject" oneof:"quarantine tag hold accept reject"`
	Tempfail       policy.Action  `yaml:"tempfail" oneof:"tempfail accept tag hold quarantine"`
}

// Tag is the field that marks a quarantined message.
type Tag struct {
	Name  string `yaml:"name" is:"field_name"`
	Value string `yaml:"value" is:"field_value"`
}

// Replies are the templates of SMTP replies.
type Replies struct {
	DMARC           Reply  `yaml:"dmarc"`
	Unauthenticated Reply  `yaml:"unauthenticated"`
	PermError       Reply  `yaml:"permerror"`
	SPF             Reply  `yaml:"spf"`
	From            Reply  `yaml:"from"`
	Block           Reply  `yaml:"block"`
	TempError       Reply  `yaml:"temperror"`
	Defer           Reply  `yaml:"defer"`
	Limit           Reply  `yaml:"limit"`
	Internal        Reply  `yaml:"internal"`
	URL             string `yaml:"url"`
}

// Reply is one template.
type Reply struct {
	Code     int    `yaml:"code" min:"400" max:"599"`
	Enhanced string `yaml:"enhanced"`
	Text     string `yaml:"text"`
}

// DKIM are limits and choices of DKIM and ARC verification.
type DKIM struct {
	MaxSignatures      int      `yaml:"max_signatures" min:"1" max:"100"`
	ClockSkew          Duration `yaml:"clock_skew" min:"0s" max:"24h"`
	AcceptLength       bool     `yaml:"accept_length"`
	MinLengthPercent   int      `yaml:"min_length_percent" min:"0" max:"100"`
	AcceptPartlySigned bool     `yaml:"accept_partly_signed"`
}

// SPF are the processing limits of RFC 7208 section 4.6.4, and what a pass is worth.
type SPF struct {
	MaxVoidLookups int            `yaml:"max_void_lookups" min:"0" max:"10"`
	Timeout        Duration       `yaml:"timeout" min:"1s" max:"60s"`
	Wide           policy.WideSPF `yaml:"wide" oneof:"count ignore"`
}

// DNS says which servers are asked, and how.
type DNS struct {
	Servers    []string `yaml:"servers" is:"server"`
	Timeout    Duration `yaml:"timeout" min:"10ms" max:"30s"`
	Attempts   int      `yaml:"attempts" min:"1" max:"10"`
	CacheSize  Size     `yaml:"cache_size" min:"1MiB" max:"16GiB"`
	MaxQueries int      `yaml:"max_queries" min:"10" max:"10000"`
}

// Limits bound what one message or the daemon may cost.
type Limits struct {
	MessageTimeout Duration `yaml:"message_timeout" min:"1s" max:"250s"`
	Connections    int      `yaml:"connections" min:"1" max:"100000"`
	Fields         int      `yaml:"fields" min:"10" max:"1000000"`
	ForgedResults  int      `yaml:"forged_results" min:"1" max:"1000000"`
	HeaderSize     Size     `yaml:"header_size" min:"1KiB" max:"512MiB"`
	Recipients     int      `yaml:"recipients" min:"1" max:"1000000"`
	MessageSize    Size     `yaml:"message_size" min:"0" max:"1TiB"`
}

// Metrics says where Prometheus finds alignd.
type Metrics struct {
	Listen      []string `yaml:"listen" is:"listen"`
	AllowRemote bool     `yaml:"allow_remote"`
}

// IsZero leaves what is off out of Hash.
func (m Metrics) IsZero() bool { return len(m.Listen) == 0 && !m.AllowRemote }

// Journal says where records of messages are kept, and for how long.
type Journal struct {
	Store string `yaml:"store" oneof:"none sqlite postgres"`
	Path  string `yaml:"path" is:"folder"`
	// URL and PasswordFile are for the store postgres.
	URL          string   `yaml:"url" is:"database" json:",omitempty"`
	PasswordFile string   `yaml:"password_file" is:"optional_file" json:",omitempty"`
	Keep         Duration `yaml:"keep" min:"1h" max:"3650d"`
	Size         Size     `yaml:"size" min:"1MiB" max:"1024TiB"`
	// SelfTest is how often the daemon tests its journal; 0 is never.
	SelfTest Duration `yaml:"self_test" min:"0s" max:"2160h"`
	// Addresses says what becomes of local parts.
	Addresses string `yaml:"addresses" oneof:"keep hash drop"`
	Spool     Spool  `yaml:"spool"`
}

// IsZero leaves the default out of Hash.
func (j Journal) IsZero() bool { return reflect.DeepEqual(j, defaults().Journal) }

// Spool bounds what waits for the store.
type Spool struct {
	Max  Size     `yaml:"max" min:"1MiB" max:"1TiB"`
	Keep Duration `yaml:"keep" min:"1s" max:"7d"`
}

// Duration is a time span with its unit, such as 30s, 4h or 30d.
type Duration struct{ time.Duration }

func (d Duration) String() string { return durationText(d.Duration) }

// Time is a day (2026-01-31, meaning its first instant in UTC) or an RFC 3339 time.
type Time struct{ time.Time }

// Size is a number of octets, such as 10MiB.
type Size int64

// FileMode is an octal file mode, such as 0660.
type FileMode uint32
