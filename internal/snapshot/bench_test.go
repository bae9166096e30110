package snapshot_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var large = flag.Bool("large", false, "also clone 10 GB, which needs that much room and more")

// BenchmarkClone clones datasets of growing size by each method, and copies them
// with cp beside. A dataset is laid out as PostgreSQL does it: many small files, and
// some that are large.
//
// On two cores, with ext4 below the volume and the data in the page cache, in ms:
//
//	            0.1 GB    1.1 GB
//	reflink         63        61
//	loopback        52        56
//	copy           160       661
//	cp -a          233       765
func BenchmarkClone(b *testing.B) {
	sizes := []int64{100 << 20, 1 << 30}
	if *large {
		sizes = append(sizes, 10<<30)
	}
	for _, size := range sizes {
		name := fmt.Sprintf("%.1fGB", float64(size)/1e9)
		for _, m := range made {
			b.Run(name+"/"+string(m), func(b *testing.B) {
				s := openStore(b, m)
				g := golden(b, s, "shop", database(size))
				for i := 0; b.Loop(); i++ {
					id := fmt.Sprint("c", i)
					c := clone(b, g, id)
					b.StopTimer()
					if c.Method != m {
						b.Fatalf("it was cloned by %s, not by %s", c.Method, m)
					}
					if err := s.Remove(b.Context(), id); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			})
		}
		b.Run(name+"/cp", func(b *testing.B) {
			from, to := b.TempDir(), filepath.Join(b.TempDir(), "copy")
			if err := database(size)(b.Context(), from); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
					b.Fatalf("cp: %v: %s", err, out)
				}
				b.StopTimer()
				if err := os.RemoveAll(to); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// database builds a directory like a database's: a thousand files of 8 KiB, and
// the rest in files of up to 1 GiB.
func database(size int64) func(context.Context, string) error {
	return func(_ context.Context, dir string) error {
		page := make([]byte, 8<<10)
		for i := range 1000 {
			page[0] = byte(i)
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), page, 0o600); err != nil {
				return err
			}
		}
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = byte(i * i >> 3)
		}
		for i := 0; size > 0; i++ {
			f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint("segment", i)), os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			for written := 0; written < 1<<30 && size > 0; written += len(block) {
				n, err := f.Write(block)
				if err != nil {
					return errors.Join(err, f.Close())
				}
				size -= int64(n)
			}
			if err := f.Close(); err != nil {
				return err
			}
		}
		return nil
	}
}
