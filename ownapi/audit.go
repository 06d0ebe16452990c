package ownapi

import (
	"context"

	"github.com/warmfront/warmfront/control"
)

type auditEntry struct {
	Time     instant `json:"time"`
	Action   string  `json:"action"`
	Resource string  `json:"resource"`
	By       actor   `json:"by"`
	Seq      uint64  `json:"seq"`
}

func listAudit(_ context.Context, c *call) (any, error) {
	marker, max, err := c.page()
	if err != nil {
		return nil, err
	}
	p, err := c.h.cfg.Control.Audit(marker, max)
	if err != nil {
		return nil, err
	}
	return pageOf(p, func(e control.AuditEntry) auditEntry {
		return auditEntry{instant(e.Time), e.Action, e.Resource, actor(e.By), e.Seq}
	}), nil
}
