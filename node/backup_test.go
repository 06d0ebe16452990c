package node

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// A control node is backed up while it runs, and is there again from the backup: who is admitted, its authority and keys. Its
// edge finds another history, and comes back as who it is.
func TestBackup_Restored(t *testing.T) {
	cc := controlConfig(t)
	d, stop := startRole(t, Control, cc)
	ec := edgeConfig(t, tokenFor(t, d, "FRA50-1"))
	e, stopEdge := startRole(t, Edge, ec)
	ec.Token = ""
	var file bytes.Buffer
	if err := d.backup(t.Context(), &file); err != nil {
		t.Fatal(err)
	}
	epoch, key, authority := d.log.(*jetstream.Log).Epoch(), d.who.key, d.gate.authority.Fingerprint()
	tokenFor(t, d, "FRA50-2") // what comes later is not in it
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b, err := ReadBackup(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	old := cc.Data
	cc.Data = filepath.Join(t.TempDir(), "data")
	log := slog.New(slog.DiscardHandler)
	if _, err := Restore(t.Context(), b, old, log); err == nil || !strings.Contains(err.Error(), "Move it away") {
		t.Errorf("over a control plane: %v", err)
	}
	if _, err := Restore(t.Context(), b, cc.Data, log); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), b, cc.Data, log); err == nil {
		t.Error("restored twice")
	}
	d, stop = startRole(t, Control, cc)
	if d.log.(*jetstream.Log).Epoch() == epoch {
		t.Error("the journal that was restored is the same history")
	}
	if d.who.key.ID != key.ID || d.who.key.Secret != key.Secret || d.gate.authority.Fingerprint() != authority {
		t.Error("keys or authority are others")
	}
	if _, ok := d.control.Admitted("FRA50-1"); !ok || len(d.control.AllAdmitted()) != 1 {
		t.Errorf("admitted are %+v", d.control.AllAdmitted())
	}
	known := func() bool {
		all := d.fleet.connected()
		return len(all) == 1 && all[0].Edge.Ready() == nil
	}
	eventually(t, "the edge, which follows the history that was restored", func() bool { return known() && e.places[0].edge.Ready() == nil })
	if err := errors.Join(stopEdge(), stop()); err != nil {
		t.Fatal(err)
	}
}

// What root restores into the directory of the user that the control node runs as is that user's.
func TestBackup_RestoredByRoot(t *testing.T) {
	const user = 4711
	data := filepath.Join(t.TempDir(), "data")
	if err := errors.Join(os.Mkdir(data, 0o700), os.Chown(data, user, user)); err != nil {
		t.Skipf("only root gives files away: %v", err)
	}
	d, stop := startRole(t, Control, controlConfig(t))
	var file bytes.Buffer
	if err := errors.Join(d.backup(t.Context(), &file), stop()); err != nil {
		t.Fatal(err)
	}
	b, err := ReadBackup(&file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), b, data, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		files++
		i, err := d.Info()
		if err == nil && i.Sys().(*syscall.Stat_t).Uid != user {
			t.Errorf("%s is root's", path)
		}
		return err
	})
	if err != nil || files < 10 {
		t.Errorf("%d files, %v", files, err)
	}
}

// What is not whole is no backup.
func TestReadBackup_WhatIsRefused(t *testing.T) {
	d, stop := startRole(t, Control, controlConfig(t))
	var file bytes.Buffer
	if err := errors.Join(d.backup(t.Context(), &file), stop()); err != nil {
		t.Fatal(err)
	}
	text := unpack(t, file.Bytes())
	lines := strings.SplitAfter(text, "\n")
	begin, end := lines[0], lines[len(lines)-2]
	for _, r := range []struct{ name, text, says string }{
		{"nothing", "", "has no end"},
		{"the beginning", begin, "has no end"},
		{"the end alone", end, "is empty"},
		{"without its end", strings.TrimSuffix(text, end), "has no end"},
		{"without a line", strings.Replace(text, lines[1], "", 1), "is damaged"},
		{"a changed line", strings.Replace(text, `"Name":"authority/authority.pem"`, `"Name":"authority/previous.pem"`, 1), "is damaged"},
		{"another end", begin + end, "is damaged"},
		{"twice", text + text, "goes on after its end"},
		{"no JSON", begin + "x\n", "line 2 of the backup cannot be read"},
		{"an empty line", begin + "{}\n", "it says nothing"},
		{"two beginnings", begin + begin, "it says nothing"},
		{"no beginning", lines[1], "does not begin as one"},
		{"a newer format", strings.Replace(text, `"Format":1`, `"Format":2`, 1), "does not know"},
		{"a path", begin + `{"File":{"Name":"../../etc/passwd"}}` + "\n", "which no backup has"},
		{"a newer fact", begin + `{"Entry":{"Epoch":"a","ID":"a","Seq":2,"Facts":[{"Unheard":{}}]}}` + "\n", "newer version"},
	} {
		if _, err := ReadBackup(bytes.NewReader(pack(t, r.text))); err == nil || !strings.Contains(err.Error(), r.says) {
			t.Errorf("%s: %v, want %q", r.name, err, r.says)
		}
	}
	if _, err := ReadBackup(strings.NewReader("x")); err == nil {
		t.Error("what is not packed was read")
	}
	if _, err := ReadBackup(bytes.NewReader(file.Bytes()[:file.Len()-9])); err == nil {
		t.Error("what is cut off was read")
	}
}

// A journal with a hole is not backed up as if it were whole.
func TestBackup_OfABrokenJournal(t *testing.T) {
	d, stop := startRole(t, Control, controlConfig(t))
	defer stop()
	if _, _, err := d.extract(t.Context(), d.control.Seq()+5); !errors.Is(err, journal.ErrBroken) {
		t.Errorf("%v", err)
	}
}

func FuzzReadBackup(f *testing.F) {
	for _, s := range []string{"", `{"Begin":{"Format":1}}` + "\n", `{"Begin":{"Format":1}}` + "\n" + `{"End":{}}` + "\n", `{"File":{}}`, "{}\n{}\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ReadBackup(bytes.NewReader(pack(t, text)))
		if (b == nil) != (err != nil) {
			t.Errorf("%v, %v", b, err)
		}
	})
}

func pack(tb testing.TB, text string) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func unpack(tb testing.TB, packed []byte) string {
	tb.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// eventually waits until something is so.
func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	comes(tb, func() string {
		if is() {
			return ""
		}
		return "not within two minutes: " + what
	})
}
