package e2e

import (
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"alignd/e2e/daemon"
)

// imageConfig is what an image says of how it is run (OCI image specification).
type imageConfig struct {
	Config struct {
		User       string
		Env        []string
		Entrypoint []string
		Cmd        []string
		Volumes    map[string]struct{}
	} `json:"config"`
}

// TestPackageImage builds the image, looks into it, and runs what is in it as the user
// that it names, in a chroot: the tests ask for no engine and no registry.
func TestPackageImage(t *testing.T) {
	dir := filepath.Dir(builtPackage(t, ""))
	binaries, err := filepath.Glob(filepath.Join(dir, "linux-*", "alignd"))
	if err != nil || len(binaries) != 1 {
		t.Fatalf("binaries in %s: %q, %v", dir, binaries, err)
	}
	isStatic(t, binaries[0])
	config, root := builtImage(t, binaries[0])
	if _, again := builtImageID(t, binaries[0]); !slices.Equal(again, config) {
		t.Errorf("built twice, it is described as\n%s\nand\n%s", config, again)
	}
	var c imageConfig
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	if c.Config.User != "65532:65532" || !slices.Equal(c.Config.Entrypoint, []string{"/usr/bin/alignd"}) || !slices.Equal(c.Config.Cmd, []string{"serve"}) {
		t.Errorf("it runs %q %q as %q", c.Config.Entrypoint, c.Config.Cmd, c.Config.User)
	}
	if _, ok := c.Config.Volumes["/var/lib/alignd"]; !ok || len(c.Config.Volumes) != 1 {
		t.Errorf("its volumes are %v", c.Config.Volumes)
	}
	want := []string{"etc/alignd/alignd.yaml", "etc/group", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "usr/bin/alignd"}
	if got := installed(t, root); !slices.Equal(got, want) {
		t.Errorf("it holds %q, want %q", got, want)
	}
	imageFilters(t, root, c)
}

// isStatic: nothing else has to be there for it to run.
func isStatic(t *testing.T, binary string) {
	t.Helper()
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("%s is not static: it has %v", binary, p.Type)
		}
	}
}

// builtImageID builds the image into a folder of its own, and returns that and how the
// image is described.
func builtImageID(t *testing.T, binary string) (dir string, config []byte) {
	t.Helper()
	tmp := t.TempDir()
	flags := []string{"--root", tmp + "/storage", "--runroot", tmp + "/run", "--storage-driver", "vfs"}
	binary, err := filepath.Abs(binary)
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("../packaging/container/build", binary, tmp+"/context", "localhost/alignd:test")
	build.Env = append(os.Environ(), "BUILDER=buildah", "BUILDER_FLAGS="+strings.Join(flags, " "), "SOURCE_DATE_EPOCH=1795860000", "TMPDIR="+tmp)
	push := exec.Command("buildah", append(flags, "push", "localhost/alignd:test", "dir:"+tmp+"/image")...)
	push.Env = append(os.Environ(), "TMPDIR="+tmp)
	for _, cmd := range []*exec.Cmd{build, push} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", cmd.Args, err, out)
		}
	}
	var manifest struct {
		Config struct{ Digest string }
	}
	if err := json.Unmarshal(readFile(t, tmp+"/image/manifest.json"), &manifest); err != nil {
		t.Fatal(err)
	}
	return tmp + "/image", readFile(t, filepath.Join(tmp, "image", strings.TrimPrefix(manifest.Config.Digest, "sha256:")))
}

// builtImage is the image, unpacked.
func builtImage(t *testing.T, binary string) (config []byte, root string) {
	t.Helper()
	dir, config := builtImageID(t, binary)
	var manifest struct {
		Layers []struct{ Digest string }
	}
	if err := json.Unmarshal(readFile(t, dir+"/manifest.json"), &manifest); err != nil {
		t.Fatal(err)
	}
	root = filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, layer := range manifest.Layers {
		file := filepath.Join(dir, strings.TrimPrefix(layer.Digest, "sha256:"))
		if out, err := exec.Command("tar", "-xpf", file, "--numeric-owner", "-C", root).CombinedOutput(); err != nil {
			t.Fatalf("tar: %v\n%s", err, out)
		}
	}
	return config, root
}

// imageFilters has a message judged; the journal is where the volume is.
func imageFilters(t *testing.T, root string, c imageConfig) {
	loopback(t)
	serveLocally(t, packageZone)
	// As an engine does.
	if err := os.WriteFile(filepath.Join(root, "etc/resolv.conf"), []byte("nameserver 127.0.0.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	chroot := []string{"chroot", "--userspec=" + c.Config.User, root}
	startDaemon(t, &daemon.Daemon{Binary: "/usr/bin/alignd", Before: chroot, Env: c.Config.Env, Listen: "inet:127.0.0.1:8890"})
	for _, args := range [][]string{{"probe"}, {"reload"}, {"journal", "status"}} {
		cmd := exec.Command(chroot[0], append(slices.Concat(chroot[1:], []string{"/usr/bin/alignd"}), args...)...)
		cmd.Env = c.Config.Env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("alignd %s: %v", args[0], err)
		}
		t.Logf("alignd %s\n%s", args[0], out)
	}
	if _, err := os.Stat(filepath.Join(root, "var/lib/alignd/journal")); err != nil {
		t.Errorf("there is no journal: %v", err)
	}
}

// TestComposeFile: no engine reads it here, so what the page promises of it is looked for
// in its text: alignd has no rights and no port, and what is mounted and built is there.
func TestComposeFile(t *testing.T) {
	const dir = "../packaging/container"
	var file struct {
		Services map[string]struct {
			Build       struct{ Context, Dockerfile string }
			Image       string
			NetworkMode string   `yaml:"network_mode"`
			ReadOnly    bool     `yaml:"read_only"`
			CapDrop     []string `yaml:"cap_drop"`
			SecurityOpt []string `yaml:"security_opt"`
			Ports       []string
			Volumes     []string
		}
		Volumes map[string]any
	}
	if err := yaml.Unmarshal(readFile(t, filepath.Join(dir, "compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	postfix, alignd := file.Services["postfix"], file.Services["alignd"]
	for what, holds := range map[string]bool{
		"alignd is what make container builds": alignd.Image == "localhost/alignd:latest",
		"it is reached from Postfix alone":     alignd.NetworkMode == "service:postfix" && len(alignd.Ports) == 0,
		"it has no rights":                     alignd.ReadOnly && slices.Equal(alignd.CapDrop, []string{"ALL"}) && slices.Equal(alignd.SecurityOpt, []string{"no-new-privileges:true"}),
		"Postfix takes mail":                   slices.Equal(postfix.Ports, []string{"25:25"}),
	} {
		if !holds {
			t.Errorf("it does not hold that %s", what)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, postfix.Build.Context, postfix.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	for _, volume := range slices.Concat(postfix.Volumes, alignd.Volumes) {
		from, _, _ := strings.Cut(volume, ":")
		_, named := file.Volumes[from]
		if _, err := os.Stat(filepath.Join(dir, from)); err != nil && !named {
			t.Errorf("%s is neither a volume nor there", from)
		}
	}
}
