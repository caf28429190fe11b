package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// packageShowsPages turns the pages on as docs/pages.md has it, and runs them as the user
// and with the groups that the unit names.
func packageShowsPages(t *testing.T, d *debian) {
	d.must("printf 'web:\\n  listen: inet:127.0.0.1:8895\\n' >>/etc/alignd/alignd.yaml")
	d.must("echo correct-horse | alignd web passwd kim && chgrp alignd-web /etc/alignd/web-users")
	d.must("SYSTEMD_OFFLINE=1 systemctl.real enable alignd-web")
	if got := d.must("id -Gn alignd-web"); got != "alignd-web alignd" {
		t.Errorf("the user of the pages is in %s", got)
	}
	unit := d.must("cat /lib/systemd/system/alignd-web.service")
	for _, line := range []string{"ExecStart=/usr/bin/alignd web", "User=alignd-web", "Group=alignd-web", "SupplementaryGroups=alignd"} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit has no line %s", line)
		}
	}
	if said, err := d.sh("setpriv --reuid=alignd-web --regid=alignd-web --init-groups touch /var/lib/alignd/x"); err == nil {
		t.Errorf("the pages' user may write to the journal: %s", said)
	}
	cmd := exec.Command("chroot", "--userspec=alignd-web:alignd-web", "--groups=alignd", d.root, "/usr/bin/alignd", "web")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	page, err := pageOfMessages()
	cmd.Process.Kill()
	<-ended
	if err != nil || !strings.Contains(page, "bank.example") {
		t.Errorf("the page of messages: %v\n%s\n%s", err, page, said.String())
	}
}

// pageOfMessages logs in and reads what became of mail.
func pageOfMessages() (string, error) {
	const site = "http://127.0.0.1:8895"
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	read := func(resp *http.Response, err error) (string, error) {
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", resp.Request.URL, resp.Status)
		}
		return string(text), err
	}
	form := ""
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if form, err = read(client.Get(site + "/login")); err == nil {
			break
		} else if time.Now().After(deadline) {
			return "", err
		}
	}
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(form)
	if token == nil {
		return form, fmt.Errorf("the form has no token")
	}
	_, err = read(client.PostForm(site+"/login", url.Values{"name": {"kim"}, "password": {"correct-horse"}, "token": {token[1]}}))
	if err != nil {
		return "", err
	}
	return read(client.Get(site + "/messages"))
}
