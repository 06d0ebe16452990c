package node

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

// A backup is what a control plane needs to be there again: what its journal says, as far as it is still needed, and the files
// that are not in it. It is a gzip of lines of JSON, each with one of the members of backupLine; the last has End, with the hash of all
// lines before it. It is taken while the node runs: the journal up to where the node has read it, which is a state that was.

// backupVersion changes when a reader of before would misread it.
const backupVersion = 1

type backupLine struct {
	Begin *backupBegin    `json:",omitempty"`
	File  *backupFile     `json:",omitempty"`
	Entry json.RawMessage `json:",omitempty"` // of the journal
	End   *backupEnd      `json:",omitempty"`
}

type backupBegin struct {
	Format  int
	Version string // of the Warmfront that made it
	Time    time.Time
	Epoch   journal.ID // of the journal, and how far it went
	Seq     uint64
}

type backupFile struct {
	Name string
	Data []byte
}

type backupEnd struct {
	Entries int
	SHA256  string
}

// backedUp are the files of a data directory that a backup holds, as far as they are there.
var backedUp = []string{
	keysFile, usersFile, // of earlier versions
	"first-password.json", "demosite.json", "ca.pem", "ca-key.pem",
	"authority/authority.pem", "authority/authority-key.pem", "authority/previous.pem", "authority/secret.pem",
}

const (
	longestLine = 16 << 20 // of a backup
	backupBatch = 256      // entries that are read at once
)

// lineWriter writes lines and hashes them.
type lineWriter struct {
	w    io.Writer
	hash interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func (l *lineWriter) line(x backupLine) error {
	b, err := json.Marshal(x)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if x.End == nil {
		l.hash.Write(b)
	}
	_, err = l.w.Write(b)
	return err
}

// backup writes the control plane's data.
func (d *process) backup(ctx context.Context, w io.Writer) error {
	packed := gzip.NewWriter(w)
	l := &lineWriter{packed, sha256.New()}
	seq, epoch, kept, err := d.extractSteady(ctx)
	if err != nil {
		return err
	}
	begin := &backupBegin{backupVersion, d.Version, time.Now().UTC().Truncate(time.Second), epoch, seq}
	if err := l.line(backupLine{Begin: begin}); err != nil {
		return err
	}
	for _, name := range backedUp {
		b, err := os.ReadFile(filepath.Join(d.Data, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = l.line(backupLine{File: &backupFile{name, b}})
		}
		if err != nil {
			return err
		}
	}
	for _, e := range kept {
		e.Epoch, e.ID = begin.Epoch, begin.Epoch // an entry without is none; what they were says nothing any more
		b, err := journal.Encode(e)
		if err == nil {
			err = l.line(backupLine{Entry: b})
		}
		if err != nil {
			return err
		}
	}
	if err := l.line(backupLine{End: &backupEnd{len(kept), hex.EncodeToString(l.hash.Sum(nil))}}); err != nil {
		return err
	}
	return packed.Close()
}

// extractSteady is extract of a journal that may be compacted meanwhile: then it is read once more.
func (d *process) extractSteady(ctx context.Context) (seq uint64, epoch journal.ID, kept []*journal.Entry, err error) {
	for range 3 {
		seq = d.control.Seq()
		if epoch, kept, err = d.extract(ctx, seq); !errors.Is(err, journal.ErrBroken) {
			break
		}
	}
	return seq, epoch, kept, err
}

// extract reads the journal up to seq, whose chain must be unbroken, and returns its epoch and what is still needed of it.
func (d *process) extract(ctx context.Context, seq uint64) (epoch journal.ID, kept []*journal.Entry, err error) {
	x := control.NewExtract(d.Quotas)
	var chain journal.Chain
	for next := uint64(1); next <= seq; {
		entries, err := d.log.Read(ctx, next, int(min(backupBatch, seq-next+1)))
		if err != nil {
			return "", nil, err
		}
		if len(entries) == 0 {
			return "", nil, fmt.Errorf("%w: entry %d of the journal is not there", journal.ErrBroken, next)
		}
		for _, e := range entries {
			if e.Base > seq {
				return "", nil, fmt.Errorf("%w: it has been compacted beyond entry %d", journal.ErrBroken, seq)
			}
			if e.Seq > seq {
				return epoch, x.Entries(), nil
			}
			if !chain.Next(e) {
				return "", nil, fmt.Errorf("%w: entry %d does not continue the journal", journal.ErrBroken, e.Seq)
			}
			x.Add(e)
			epoch, next = e.Epoch, e.Seq+1
		}
	}
	return epoch, x.Entries(), nil
}

// Backup is a backup that was read.
type Backup struct {
	Version string
	Time    time.Time
	Seq     uint64 // how far the journal went
	Entries []*journal.Entry

	files []backupFile
}

// ReadBackup reads a backup to its end, and fails when it is not whole.
func ReadBackup(r io.Reader) (*Backup, error) {
	packed, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("it is no backup: %w", err)
	}
	lines := bufio.NewScanner(packed)
	lines.Buffer(nil, longestLine)
	hash := sha256.New()
	var b *Backup
	for n := 1; lines.Scan(); n++ {
		var x backupLine
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			return nil, fmt.Errorf("line %d of the backup cannot be read: %w", n, err)
		}
		if x.End != nil {
			if err := b.whole(x.End, hash.Sum(nil), lines); err != nil {
				return nil, err
			}
			return b, nil
		}
		hash.Write(lines.Bytes())
		hash.Write([]byte{'\n'})
		if b, err = b.with(&x); err != nil {
			return nil, fmt.Errorf("line %d of the backup: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("the backup cannot be read to its end: %w", err)
	}
	return nil, errors.New("the backup has no end: it was cut off")
}

// with adds a line to what was read before; nil: nothing.
func (b *Backup) with(x *backupLine) (*Backup, error) {
	switch {
	case b == nil && x.Begin == nil:
		return nil, errors.New("it does not begin as one")
	case b == nil && x.Begin.Format != backupVersion:
		return nil, fmt.Errorf("it was made by Warmfront %s, in a format that this version does not know", x.Begin.Version)
	case b == nil:
		return &Backup{Version: x.Begin.Version, Time: x.Begin.Time, Seq: x.Begin.Seq}, nil
	case x.File != nil && !slices.Contains(backedUp, x.File.Name):
		return nil, fmt.Errorf("it holds a file %q, which no backup has", x.File.Name)
	case x.File != nil:
		b.files = append(b.files, *x.File)
	case x.Entry != nil:
		e, err := journal.Decode(x.Entry) // which refuses facts of a newer version
		if err != nil {
			return nil, err
		}
		b.Entries = append(b.Entries, e)
	default:
		return nil, errors.New("it says nothing")
	}
	return b, nil
}

// whole checks the last line.
func (b *Backup) whole(end *backupEnd, hash []byte, lines *bufio.Scanner) error {
	want, err := hex.DecodeString(end.SHA256)
	switch {
	case b == nil:
		return errors.New("the backup is empty")
	case err != nil || !bytes.Equal(want, hash) || end.Entries != len(b.Entries):
		return errors.New("the backup is damaged: it is not what was written")
	case lines.Scan():
		return errors.New("the backup goes on after its end")
	}
	return lines.Err()
}
