package admission

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	secretBlock  = "WARMFRONT SECRET"
	secretLength = 32
)

// Secret is what all control nodes know, and no edge: what they alone are to read is sealed by it. It is derived of the authority's first key, and
// stays when the authority is renewed, for what was sealed before.
func (a *Authority) Secret() []byte {
	if a.secret != nil {
		return a.secret
	}
	key, err := a.key.ECDH()
	if err != nil {
		panic("BUG: " + err.Error()) // it is of P-256
	}
	secret, err := hkdf.Key(sha256.New, key.Bytes(), nil, "warmfront control nodes", secretLength)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return secret
}

// openSecret reads what a renewal has left.
func (a *Authority) openSecret(dir string) error {
	path := filepath.Join(dir, secretFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	block, rest := pem.Decode(b)
	if block == nil || block.Type != secretBlock || len(block.Bytes) != secretLength || len(rest) > 0 {
		return fmt.Errorf("%s cannot be read: restore it from a backup, or from another control node, for without it users and access keys cannot be", path)
	}
	a.secret = block.Bytes
	return nil
}
