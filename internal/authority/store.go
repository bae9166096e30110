package authority

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// The files of a saved authority. Key and certificate are in one file, because
// one file can be replaced at once and two cannot; the certificate stands beside
// it once more, for services that are given a path.
const (
	keyFile  = "authority.pem" // for us alone
	CertFile = "ca.pem"        // what PEM gives; anyone may read it
)

// Save puts the authority, its key included, into a directory, which is made
// for its owner alone if it is not there. A reader finds the authority that was
// there before or this one, and nothing in between.
func (a *Authority) Save(dir string) error {
	if err := a.save(dir); err != nil {
		return fmt.Errorf("save the certificate authority: %w", err)
	}
	return nil
}

func (a *Authority) save(dir string) error {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := replace(filepath.Join(dir, keyFile), append(key, a.PEM()...), 0o600); err != nil {
		return err
	}
	return replace(filepath.Join(dir, CertFile), a.PEM(), 0o644)
}

// replace writes a file beside its place and moves it there when it is whole.
func replace(path string, data []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	// Without it, a crash of the host can leave the new name with no content.
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Load reads the authority that Save put into a directory. The error is an
// fs.ErrNotExist if there is none, and of kind Unavailable if it has expired.
func Load(dir string, now func() time.Time) (*Authority, error) {
	path := filepath.Join(dir, keyFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load the certificate authority: %w", err)
	}
	a, err := parse(data, now)
	if err != nil {
		return nil, &rehearse.Error{
			Kind: rehearse.Unavailable, File: path,
			Msg:  "this is not a certificate authority that rehearse saved",
			Hint: "Take the environment down and bring it up again: it gets a new authority.",
			Err:  err,
		}
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	return a, nil
}

func parse(data []byte, now func() time.Time) (*Authority, error) {
	first, rest := pem.Decode(data)
	if first == nil {
		return nil, errors.New("there is no PEM block in it")
	}
	second, _ := pem.Decode(rest)
	if second == nil {
		return nil, errors.New("there is no second PEM block in it")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(first.Bytes)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(second.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("the key is not the certificate's")
	}
	if !cert.IsCA {
		return nil, errors.New("the certificate is not an authority's")
	}
	return newAuthority(cert, key, now), nil
}
