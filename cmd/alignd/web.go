package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"alignd/config"
	"alignd/filter/milter"
	"alignd/internal/logging"
	"alignd/web"
	"alignd/web/access"
)

func webCommand() *cobra.Command {
	var file, listen string
	c := &cobra.Command{
		Use:   "web [flags]",
		Short: "Serve pages that show the journal to people",
		Long: `Serve pages that show what became of mail, who sends as whom, and what another
configuration would have done, from the journal (options web and journal). They are off
unless web.listen names a place, and nobody may look without a password (alignd web
passwd), a proxy, a client certificate, or the right to connect to a unix socket.

It only reads, decides nothing, and runs as a process of its own, at a low priority,
until SIGTERM. The files of users and of TLS are read again when they change, and so
are web.role, web.auditors and what the pages show of the configuration.

Exit status 0: it was told to end; 1: it cannot serve; 2: wrong usage or a faulty
configuration.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := readConfig(config.Input{File: file})
			if err != nil {
				return err
			}
			if listen != "" {
				cfg.Web.Listen = listen
			}
			if cfg.Web.Listen == "" {
				return errors.New("the pages are off: web.listen names no place (inet:127.0.0.1:8895, say)")
			}
			if ownProcess {
				lowerPriority(webNice)
			}
			if err := serveWeb(c, file, cfg); err != nil {
				return failure{err}
			}
			return nil
		},
	}
	configFlag(c, &file)
	c.Flags().StringVar(&listen, "listen", "", "where, in place of web.listen: inet:HOST:PORT or unix:/PATH")
	c.AddCommand(webPasswdCommand(), webJobCommand())
	return c
}

// webNice is the priority of the pages, so that mail comes first on processors that both
// want, also where no unit says so; ours.
const webNice = 10

func serveWeb(c *cobra.Command, file string, cfg *config.Config) error {
	log, lines := logging.New(c.ErrOrStderr(), logLevel(cfg), logging.Format(cfg.LogFormat))
	defer lines.Close()
	security, err := webTLS(&cfg.Web, log)
	if err != nil {
		return err
	}
	opt, err := webOptions(file, cfg, log)
	if err != nil {
		return err
	}
	if back, ok := opt.Backend.(io.Closer); ok {
		defer back.Close()
	}
	pages, err := web.New(opt)
	if err != nil {
		return err
	}
	ln, err := milter.Listen(cfg.Web.Listen, socketOptions(cfg))
	if err != nil {
		return err
	}
	if security == nil && !isLocal(ln.Addr()) { // localhost may be anything
		ln.Close()
		return fmt.Errorf("web.listen: %s is %s, which is no loopback address; set web.tls", cfg.Web.Listen, ln.Addr())
	}
	place, scheme := placeOf(ln), "http"
	if security != nil {
		scheme = "https"
	}
	ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	signal.Ignore(syscall.SIGHUP) // files are read again when they change
	ready := func() {
		log.Info("pages are served", "version", version, "listen", place)
		if at, tcp := strings.CutPrefix(place, "inet:"); tcp {
			fmt.Fprintf(c.OutOrStdout(), "%s://%s/\n", scheme, at)
		}
		if _, err := sd.SdNotify(false, sd.SdNotifyReady); err != nil {
			log.Warn("cannot notify systemd", "err", err)
		}
	}
	err = serveHTTP(ctx, pages.HTTP(), ln, ready, socketWatch{log: log, who: "who looks at the pages", options: socketOptions(cfg)}, func(ln net.Listener) net.Listener {
		if ln = pages.Listen(ln); security != nil {
			ln = tls.NewListener(ln, security)
		}
		return ln
	})
	pages.Close()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// serveHTTP serves ln, and what takes its place, each as bounded makes it, until ctx ends.
func serveHTTP(ctx context.Context, server *http.Server, ln net.Listener, ready func(), sockets socketWatch, bounded func(net.Listener) net.Listener) error {
	ended := make(chan error, 1)
	sockets.serve = func(ln net.Listener) {
		ln = bounded(ln)
		go func() {
			if err := server.Serve(ln); !errors.Is(err, net.ErrClosed) { // another one took its place
				select {
				case ended <- err:
				default: // one is enough
				}
			}
		}()
	}
	sockets.serve(ln)
	ready()
	err := sockets.begin([]net.Listener{ln}).until(ctx.Done(), ended)
	if ctx.Err() != nil {
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err = server.Shutdown(soon); err != nil {
			err = server.Close()
		}
	}
	return err
}

func webOptions(file string, cfg *config.Config, log *slog.Logger) (web.Options, error) {
	back, err := newWebBackend(file, cfg)
	if err != nil {
		return web.Options{}, err
	}
	who, err := webAccess(cfg)
	who.Roles = back.roles
	return web.Options{Backend: back, Access: who, Timeout: cfg.Web.Timeout.Duration, Version: version, Log: log}, err
}

// webAccess is who may look at the pages.
func webAccess(cfg *config.Config) (opt access.Options, err error) {
	w := &cfg.Web
	opt = access.Options{
		Proxy: access.Proxy{Header: w.Proxy.Header, Networks: w.Proxy.Networks}, Certificates: w.TLS.ClientCAFile != "",
		Role: access.Role(w.Role), Auditors: w.Auditors, Hosts: append([]string{"localhost", "127.0.0.1", "::1"}, w.Hosts...),
		Secure: w.TLS.CertFile != "" || w.Proxy.Header != "" && w.Proxy.TLS, Parallel: w.Parallel,
	}
	address, tcp := strings.CutPrefix(w.Listen, "inet:")
	if host, _, err := net.SplitHostPort(address); tcp && err == nil && host != "" {
		opt.Hosts = append(opt.Hosts, strings.ToLower(host))
	}
	if w.UsersFile != "" {
		opt.Users, err = access.OpenUsers(w.UsersFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return opt, fmt.Errorf("web.users_file: %w", err)
		}
	}
	nobody := opt.Users == nil || opt.Users.Count() == 0
	// Rights are in place of a login only where they keep somebody out, and users who are
	// made later are asked for from then on.
	opt.Socket = !tcp
	opt.Open = !tcp && nobody && w.Proxy.Header == "" && !opt.Certificates
	if nobody && !opt.Open {
		opt.Users = nil
	}
	// The same rights are what makes who connects the proxy, which says who asks.
	if byRights := opt.Open || !tcp && w.Proxy.Header != ""; byRights && cfg.SocketMode&0o007 != 0 {
		return opt, fmt.Errorf("web.listen: socket_mode %#o lets everybody of this host in; take away the rights of others, or have users (alignd web passwd) and no web.proxy", uint32(cfg.SocketMode))
	}
	return opt, nil
}

func webPasswdCommand() *cobra.Command {
	var file string
	var remove bool
	c := &cobra.Command{
		Use:   "passwd [flags] NAME",
		Short: "Set the password of somebody who may look at the pages",
		Long: `Set the password of somebody who may look at the pages, in the file web.users_file, which
is made if it is absent. It is read from the terminal, or one line from standard input.
What the person may see is said by web.role and web.auditors.

Exit status 0: set; 1: the file cannot be written; 2: wrong usage.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("name one user (%s)", help(c))
			}
			return access.CheckName(args[0])
		},
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := readConfig(config.Input{File: file})
			if err != nil {
				return err
			}
			if cfg.Web.UsersFile == "" {
				return errors.New("web.users_file names no file")
			}
			password := ""
			if !remove {
				if password, err = askPassword(c); err != nil {
					return err
				}
				if password == "" {
					return errors.New("an empty password is none; --remove takes somebody out")
				}
			}
			if err := access.SetPassword(cfg.Web.UsersFile, args[0], password); err != nil {
				return failure{err}
			}
			return nil
		},
	}
	configFlag(c, &file)
	c.Flags().BoolVar(&remove, "remove", false, "take the user out")
	return c
}

// askPassword reads a password: from a terminal twice and without showing it, else a line.
func askPassword(c *cobra.Command) (string, error) {
	in, ok := c.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(c.InOrStdin(), 1000)).ReadString('\n')
		if err != nil && err != io.EOF {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(c.ErrOrStderr(), prompt)
		text, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(c.ErrOrStderr())
		return string(text), err
	}
	first, err := ask("Password: ")
	if err != nil {
		return "", err
	}
	second, err := ask("Again: ")
	if err == nil && first != second {
		err = errors.New("these are two passwords")
	}
	return first, err
}
