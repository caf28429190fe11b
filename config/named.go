package config

// FileNamed is a file that an option in force names and that is no part of the
// configuration: who uses it reads it, later and again.
type FileNamed struct {
	Option string // its path, such as "reports.dkim[0].key_file"
	Path   string
	At     Position // of the option; the zero Position for a default
}

// FilesNamed are those files, in the order of the options.
func (c *Config) FilesNamed() []FileNamed {
	var list []FileNamed
	add := func(option, path string) {
		if path != "" {
			list = append(list, FileNamed{Option: option, Path: path, At: c.where(option)})
		}
	}
	if c.Journal.Store == "postgres" {
		add("journal.password_file", c.Journal.PasswordFile)
	}
	if c.Reports.From != "" {
		for i := range c.Reports.DKIM {
			add(item("reports.dkim", i)+".key_file", c.Reports.DKIM[i].KeyFile)
		}
		add("reports.password_file", c.Reports.PasswordFile)
	}
	if c.Web.Listen != "" {
		add("web.users_file", c.Web.UsersFile)
		add("web.tls.cert_file", c.Web.TLS.CertFile)
		add("web.tls.key_file", c.Web.TLS.KeyFile)
		add("web.tls.client_ca_file", c.Web.TLS.ClientCAFile)
	}
	return list
}

// Where is the place of an option by its path; the zero Position when it is not written down.
func (c *Config) Where(option string) Position { return c.where(option) }
