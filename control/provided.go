package control

import "context"

type providedKey struct{}

// Provided returns a context for the commands of somebody who may as long as may says so. A door lets in by what this node knows, and it
// may be behind: another may have just confirmed that the key is gone. may is asked with each decision, when all has been
// folded that is before what is decided. It is not to wait, nor to ask this Control for anything that does.
func Provided(ctx context.Context, may func() bool) context.Context {
	return context.WithValue(ctx, providedKey{}, may)
}

// provided asks whether the command of ctx may still be carried out.
func provided(ctx context.Context) error {
	if may, ok := ctx.Value(providedKey{}).(func() bool); ok && !may() {
		return refuse("AccessDenied", "The access key, or the session, that the request was signed with has been deleted or changed just now.")
	}
	return nil
}
