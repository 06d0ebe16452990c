package memory_test

import (
	"testing"

	"github.com/warmfront/warmfront/journal/journaltest"
	"github.com/warmfront/warmfront/journal/memory"
)

func TestLog(t *testing.T) {
	journaltest.Run(t, func(t *testing.T) journaltest.Subject {
		return journaltest.Subject{Log: memory.New()}
	})
}
