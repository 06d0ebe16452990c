package certificate

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// pairs are the certificates of a directory, with their keys: NAME.crt or NAME.pem beside NAME.key, or NAME.pem
// that holds both. The chain follows the certificate in its file. Other files mean nothing.
type pairs struct {
	list  []pair
	state string // of the files; the same as long as nobody has touched them
}

type pair struct {
	file string
	tls.Certificate
}

// stateOf describes the files of a directory well enough to see a change. Links are followed: that is how
// certificates are put in place whole.
func stateOf(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went meanwhile, or the link leads nowhere
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s %d %d\n", e.Name(), info.Size(), info.ModTime().UnixNano())
	}
	return b.String(), nil
}

// readPairs reads a directory. What is wrong with one pair is wrong with all: half of what an operator wants
// is not what they want.
func readPairs(dir string) (*pairs, error) {
	state, err := stateOf(dir) // before the files: what changes meanwhile is read again
	if err != nil {
		return nil, err
	}
	p := &pairs{state: state}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	keys, used := map[string]bool{}, map[string]string{}
	for _, e := range entries {
		if base, ok := strings.CutSuffix(e.Name(), ".key"); ok {
			keys[base] = true
		}
	}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if ext != ".crt" && ext != ".pem" {
			continue
		}
		base := strings.TrimSuffix(e.Name(), ext)
		file := filepath.Join(dir, e.Name())
		key := file
		switch {
		case keys[base] && used[base] != "":
			return nil, fmt.Errorf("%s and %s share a key file: name them differently", used[base], file)
		case keys[base]:
			used[base], key = file, filepath.Join(dir, base+".key")
		case ext == ".crt":
			return nil, fmt.Errorf("%s has no key beside it: add %s.key", file, base)
		}
		c, err := tls.LoadX509KeyPair(file, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if len(c.Leaf.DNSNames)+len(c.Leaf.IPAddresses) == 0 {
			return nil, fmt.Errorf("%s is for no name: it needs a subject alternative name", file)
		}
		p.list = append(p.list, pair{file, c})
	}
	for base := range keys {
		if used[base] == "" {
			return nil, fmt.Errorf("%s has no certificate beside it: add %s.crt", filepath.Join(dir, base+".key"), base)
		}
	}
	return p, nil
}

// Listed is a certificate of a directory.
type Listed struct {
	File    string
	Names   []string
	Expires time.Time
}

// List reads a directory of certificates as Open does, and fails where that would.
func List(dir string) ([]Listed, error) {
	p, err := readPairs(dir)
	if err != nil {
		return nil, err
	}
	var all []Listed
	for _, x := range p.list {
		names := slices.Clone(x.Leaf.DNSNames)
		for _, ip := range x.Leaf.IPAddresses {
			names = append(names, ip.String())
		}
		all = append(all, Listed{x.file, names, x.Leaf.NotAfter})
	}
	return all, nil
}
