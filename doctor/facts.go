package doctor

import (
	"io/fs"
	"net/netip"
	"time"
)

// Facts is all that was found out about a host. Zero values stand for what is
// not there; what could not be found out is said in a field of its own.
type Facts struct {
	Alignd   Alignd
	Postfix  []Instance
	Sendmail *Sendmail
	Unit     *Unit // nil: neither systemd nor a unit file
	Resolver Resolver
	MX       []MX
	Clock    Clock
	Host     Host
	Journal  Journal
	// Services are the mail filters that systemd runs: "opendkim".
	Services []string
	// OpenDKIM are the options of its configuration file, keys in lower case.
	OpenDKIM map[string]string
	// Problems tell what could not be read at all.
	Problems []string
}

// Alignd is what the checks need of alignd's configuration.
type Alignd struct {
	File string // what it was read from, or would be
	// Reads are the files that the daemon reads: the configuration with all that belongs to
	// it, and the keys and passwords that it names. Files tells of them and of their folders.
	Reads []string
	Files map[string]File
	Fault string // why it cannot be used; the rest are then the defaults

	Listen         []string // as the option has it
	ListenWritten  bool     // not the default
	SocketGroup    string
	Drain          time.Duration
	MessageTimeout time.Duration
	Monitor        bool

	AuthservID     string
	NameOnly       bool // authserv_id_covers: name
	OwnAuthservIDs []string
	CompareWith    []string // ids of filters beside which it runs

	// ByRecipient: entries name recipients by their local part; Delimiter is the option
	// recipient_delimiter.
	ByRecipient bool
	Delimiter   string

	Authenticated bool // not_judged.authenticated
	Loopback      bool // not_judged.loopback
	Networks      []netip.Prefix
	Relays        []Relay
	DNSServers    []string

	JournalStore, JournalPath string // as the option has them

	Reports []ReportFact // empty where none are sent, or DNS is not asked
}

// Relay is an entry of trusted_relays.
type Relay struct {
	ID    string
	Peers []netip.Prefix
	HasBy bool // by names who must have written the topmost field
}

// Host is what the checks know of the machine.
type Host struct {
	Name      string
	Addresses []netip.Addr // of its interfaces
	Gateways  []netip.Addr // of its default routes
	Container bool
}

// Instance is one configuration directory of Postfix.
type Instance struct {
	Dir string
	// Param has each parameter with $names replaced; Raw as it stands in main.cf or
	// as the default has it. A parameter that this Postfix does not know is absent.
	Param, Raw map[string]string
	Services   []Service
	Warnings   []string // what postconf itself warned of
	// User are uid and groups of mail_owner; nil when they are not known.
	User *User
	// Files are the sockets of its milters and their directories, by path.
	Files map[string]File
}

// Service is one line of master.cf.
type Service struct {
	Name, Type string
	Chroot     bool
	Command    string
	Args       string            // of the command, for pipe(8)
	Options    map[string]string // -o, with $names replaced
}

// User is a system user.
type User struct {
	Name   string
	UID    int
	Groups []int
}

// File is what stat says of a path.
type File struct {
	Mode     fs.FileMode
	UID, GID int
	ACL      bool // access control lists decide besides the mode
	Missing  bool
	Unknown  string // why it cannot be told
}

// Unit is alignd's systemd unit: as systemd has it, or as the files say.
type Unit struct {
	File string
	// Running says that systemd itself was asked; the next five are then known.
	Running     bool
	Load        string // LoadState, where systemd cannot use the unit: "masked", "bad-setting", ...
	Active      string // "active", "failed", ...
	Enabled     string // "enabled", "disabled", ...
	NeedsReload bool
	Restarts    int
	Exec        string
	Stop        time.Duration // TimeoutStopSec; 0: not known
	Before      []string
	User        string   // User=; empty: root
	Group       string   // Group=; empty: that of the user
	Groups      []string // SupplementaryGroups=
	// Account is that user with all its groups; nil for root, and where it is not known.
	Account *User
	// UserKnown says that this host has the user; UserGroups are the groups that its
	// group database then adds, and the numbers or names of Group and Groups.
	UserKnown    bool
	UserGroups   []string
	Writable     []string // ReadWritePaths, RuntimeDirectory and the like
	PrivateTmp   bool
	SocketActive bool // alignd.socket holds the places
	// SocketEnabled: it is started at a boot, and belongs to how alignd is run.
	SocketEnabled bool
	// Sockets are these places, "inet:127.0.0.1:8890".
	Sockets []string
}

// Resolver is how DNS is asked.
type Resolver struct {
	From    string // "dns.servers" or a file
	Servers []Server
	// Forwarders are where a resolver of this host asks in turn.
	Forwarders []Forwarder
}

// Server is one DNS server and how it answered a question for a signed name.
type Server struct {
	Addr netip.AddrPort
	// Asked is false where no question was asked.
	Asked    bool
	Answered bool
	AD       bool   // the answer says that it was validated
	Problem  string // why there is no use in the answer
}

// Forwarder is one address in the configuration of a resolver.
type Forwarder struct {
	File string
	Addr netip.Addr
}

// MX are the mail hosts of one domain.
type MX struct {
	Domain  string
	Hosts   []MXHost
	Problem string // why they are not known
}

// MXHost is one mail host.
type MXHost struct {
	Name      string
	Addresses []netip.Addr
}

// Clock says whether something keeps the clock.
type Clock struct {
	Known        bool
	Synchronised bool
	Source       string // who says so
}
