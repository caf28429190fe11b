RemoveARFrom .example.com
SyslogSuccess yes
