/* The invalidation protocol of docs/journal.md, for one key: a log, a tracker, and two edges, 0 (which may be
   the parent, the "shield", of) and 1. Everything is a guarded atomic action, so every interleaving of
   writing, following, probing, fetching, serving, sweeping, crashing and ticking is gone through.

   Ghosts, which no edge can see: cg and fg, the length of the log at the instant at which the stored object, or the
   one in flight, was really read at the origin.

   Checked, at each answer: an edge that answers after Completed(i) answers with an object that was read when i was
   in the log (assert). model/README.md has the configurations, and the rules that the Mn_ mistakes leave out.

   With SOFT an entry may mark stale instead of removing (MARK). Then an older object may be the answer while a fetch is
   under way that was sent when i was in the log, until the first ends that was sent when i had been applied. */
#ifndef N
#define N 2            /* max log entries */
#endif
#ifdef N3
#undef N
#define N 3
#endif
#ifdef N4
#undef N
#define N 4
#endif
#ifndef L
#define L 1            /* edge lease (ticks of the edge clock) */
#endif
#ifndef SKIP
#define SKIP 1         /* ticks an edge clock may lose */
#endif
#ifndef LT
#define LT (L+SKIP+1)  /* tracker's silent-edge wait */
#endif
#ifdef EXPIRE
#define L2 2               /* self-fence */
#ifndef LT2
#define LT2 (L2+SKIP+1)
#endif
#define SAT (L2+1)
#define WMAX LT2
#else
#define SAT (L+1)      /* edge ages saturate: only "<= L" is ever asked */
#define WMAX LT
#endif
#define INV 1
#define JOIN0 2
#define JOIN1 3
#define EXP0 4
#define MARK 5         /* an invalidation that marks stale (SOFT) */
#ifdef SOFT
#define ISINV(t) ((t) == INV || (t) == MARK)
#else
#define ISINV(t) ((t) == INV)
#endif

/* the log */
byte typ[N+1];            /* what entry i is; numbers begin at 1 */
byte ll;                  /* its length */
byte first;               /* entries below are gone (COMPACT) */
/* the tracker */
byte w[N+1];              /* ticks since it observed entry i */
byte tp;                  /* it has read the log up to here */
byte done;                /* greatest Completed invalidation */
byte joinpos[2];          /* of an edge's newest join */
byte exppos[2];           /* of an operator's word that the edge is gone */
byte acked[2];
/* an edge */
byte app[2];              /* applied */
byte req[2];              /* newest matching rule that it knows */
bit joined[2];
bit pres[2]; byte cf[2]; byte cg[2]; byte oage[2];               /* the object: there, its stamp, ghost, age */
bit synced[2]; byte fresh[2];                                    /* the lease: age of the last answered probe */
byte pend[2]; byte pz[2]; byte page[2];                          /* the probe under way: state, z, age */
byte infl[2]; byte ff[2]; byte fg[2]; byte fage[2]; bit viash;   /* the fetch: state, stamp, ghost, age, from the parent? */
byte swept[2]; byte flr[2];                                      /* what a restart begins with, and the floor that it sets */
byte skips[2];                                                   /* ticks that its clock has lost */
#ifdef SOFT
byte mreq[2]; byte mswept[2];   /* newest matching rule that marks which it knows; with which a restart begins */
byte fm[2];                     /* of the fetch: mreq when it was sent */
byte dinfl[2]; byte dff[2]; byte dfg[2]; byte dwd[2];   /* a fetch that another one has displaced, as infl and so on */
bit dno[2];                     /* and may not store any more */
byte es[2];                     /* what was applied when the fetch was sent; ff is the stamp of what it brings */
/* ghosts: the log's length when the fetch was sent; done when the last who waits for it has asked; the greatest es of
   those that have ended, in this life of the process */
byte sg[2]; byte wd[2]; byte ended[2];
#endif

#define MINB(a,b) ((a) < (b) -> (a) : (b))
inline inc(x) { if :: x < SAT -> x++ :: else fi }
inline incw(x) { if :: x < WMAX -> x++ :: else fi }

#ifdef M3_NOLEASE
#define FRESHOK(e,a) (1)
#else
#ifdef M11_NOSYNCGATE
#define FRESHOK(e,a) (fresh[e] <= L || (a) <= L)
#else
#ifdef EXPIRE
#ifdef M14_NOSELFFENCE
#define FRESHOK(e,a) (fresh[e] <= L || (synced[e] && (a) <= L))
#else
#define FRESHOK(e,a) (fresh[e] <= L || (synced[e] && (a) <= L && fresh[e] <= L2))
#endif
#else
#define FRESHOK(e,a) (fresh[e] <= L || (synced[e] && (a) <= L))
#endif
#endif
#endif
#ifdef M7_NOJOIN
#define MEMB(e) (1)
#else
#define MEMB(e) (joined[e])
#endif

#ifdef EXPIRE
#define SETTLED(e) (exppos[e] > joinpos[e] && exppos[e] <= tp && w[exppos[e]] >= LT2)
#else
#define SETTLED(e) (0)
#endif
#define MISS(e,i) (joinpos[e] > 0 && joinpos[e] <= tp && acked[e] < i && !SETTLED(e))
#define FASTOK(i) (i <= tp && ISINV(typ[i]) && i > done && !MISS(0,i) && !MISS(1,i))
#define SLOWOK(i) (i <= tp && ISINV(typ[i]) && i > done && w[i] >= LT)

/* what may be shown: an object that was read when the log was g long, to who asked when asked was done */
#ifdef SOFT
#define REMOVED(i,g) (i > done || typ[i] != INV || (g) >= i)
#define NEWER(i,g,asked) (i > (asked) || typ[i] != MARK || (g) >= i)
#define RENEWED(e,i,g) (i > done || typ[i] != MARK || (g) >= i || (infl[e] > 0 && sg[e] >= i && ended[e] < i))
#if N >= 3
#define EACH(p1,p2,p3) ((p1) && (p2) && (p3))
#else
#define EACH(p1,p2,p3) ((p1) && (p2))
#endif
#define GOOD(g,asked) (EACH(REMOVED(1,g), REMOVED(2,g), REMOVED(3,g)) && EACH(NEWER(1,g,asked), NEWER(2,g,asked), NEWER(3,g,asked)))
#define GOODMARKED(e,g) (EACH(REMOVED(1,g), REMOVED(2,g), REMOVED(3,g)) && EACH(RENEWED(e,1,g), RENEWED(e,2,g), RENEWED(e,3,g)))
#define ALIVE(e) (cf[e] >= req[e] && cf[e] >= mreq[e])
#define KNOWN(a) ((a) >= req[1] && (a) >= ff[1]) /* the question carries the position at which it was sent: rules may be forgotten */
#define SENT(e) sg[e] = ll; es[e] = app[e]; wd[e] = (fresh[e] <= L -> done : 0); fm[e] = mreq[e]
#define WAITED(e) wd[e]
#else
#define GOOD(g,asked) ((g) >= done)
#define ALIVE(e) (cf[e] >= req[e])
#define KNOWN(a) ((a) >= req[1])
#define SENT(e) skip
#define WAITED(e) done
#endif

#ifdef SOFT
inline forget(e) { infl[e] = 0; ff[e] = 0; fg[e] = 0; fage[e] = 0; sg[e] = 0; es[e] = 0; wd[e] = 0; fm[e] = 0 }
inline gone(e) { pres[e] = 0; cf[e] = 0; cg[e] = 0; oage[e] = 0 }
#endif

inline edgeTick(e) {
  inc(fresh[e]); if :: pres[e] -> inc(oage[e]) :: else fi;
  if :: pend[e] > 0 -> inc(page[e]) :: else fi;
  if :: infl[e] > 0 -> inc(fage[e]) :: else fi
}

inline startProbe(e)  { pend[e] = 1; page[e] = 0 }
inline applyNext(e) {
  app[e]++;
  if :: typ[app[e]] == INV -> req[e] = app[e]
#ifdef SOFT
     :: typ[app[e]] == MARK -> mreq[e] = app[e]
#endif
     :: typ[app[e]] == JOIN0 + e -> joined[e] = 1
     :: typ[app[e]] == EXP0 && e == 0 -> joined[0] = 0
     :: else fi;
#ifdef AUTO
  if :: acked[e] < app[e] -> acked[e] = app[e] :: else fi
#endif
}

active proctype sys() {
  byte e; byte i;
  fresh[0] = SAT; fresh[1] = SAT;
#ifdef PREJOINED
#ifdef ONE
  ll = 1; typ[1] = JOIN0; joinpos[0] = 1; tp = 1; joined[0] = 1; app[0] = 1; swept[0] = 1; acked[0] = 1;
#else
  ll = 2; typ[1] = JOIN0; typ[2] = JOIN1; joinpos[0] = 1; joinpos[1] = 2; tp = 2; joined[0] = 1; joined[1] = 1;
  app[0] = 2; app[1] = 2; swept[0] = 2; swept[1] = 2; acked[0] = 2; acked[1] = 2;
#endif
#endif

  do
  /* ---- log ---- */
#ifdef SOFT
#ifdef AUTO
  :: atomic { ll < N -> ll++; typ[ll] = MARK; tp = ll; w[ll] = 0 }
#else
  :: atomic { ll < N -> ll++; typ[ll] = MARK }
#endif
#endif
#ifdef AUTO  /* sound for safety: earliest possible ack and observation; both only enable Completed */
  :: atomic { ll < N -> ll++; typ[ll] = INV; tp = ll; w[ll] = 0 }
#else
  :: atomic { ll < N -> ll++; typ[ll] = INV }
#endif
  :: atomic { ll < N && joinpos[0] == 0 -> ll++; typ[ll] = JOIN0; joinpos[0] = ll }
#ifdef EXPIRE
  :: atomic { ll < N && joinpos[0] > exppos[0] -> ll++; typ[ll] = EXP0; exppos[0] = ll }
  :: atomic { ll < N && exppos[0] > joinpos[0] && !joined[0] && app[0] >= exppos[0] -> ll++; typ[ll] = JOIN0; joinpos[0] = ll }
#endif
#ifndef ONE
  :: atomic { ll < N && joinpos[1] == 0 -> ll++; typ[ll] = JOIN1; joinpos[1] = ll }
#endif
#ifdef COMPACT
  :: atomic { first < ll -> first++ }
#endif
  /* ---- tracker ---- */
  :: atomic { tp < ll -> tp++; w[tp] = 0 }
  :: atomic { FASTOK(1) -> done = 1 }
  :: atomic { FASTOK(2) -> done = 2 }
  :: atomic { SLOWOK(1) -> done = 1 }
  :: atomic { SLOWOK(2) -> done = 2 }
#ifdef N4
  :: atomic { FASTOK(4) -> done = 4 }
  :: atomic { SLOWOK(4) -> done = 4 }
#endif
#if N >= 3
  :: atomic { FASTOK(3) -> done = 3 }
  :: atomic { SLOWOK(3) -> done = 3 }
#endif
#ifdef FAILOVER
  :: atomic { tp > 0 -> tp = 0; acked[0] = 0; acked[1] = 0; i = 1; do :: i <= N -> w[i] = 0; i++ :: else -> break od; i = 0 }
#endif
  /* ---- time ---- */
  :: atomic { i = 1; do :: i <= tp -> if :: (i > done && ISINV(typ[i])) || typ[i] == EXP0 -> incw(w[i]) :: else -> w[i] = 0 fi; i++ :: else -> break od; i = 0;
       if :: edgeTick(0) :: skips[0] < SKIP -> skips[0]++ fi;
#ifndef ONE
       if :: edgeTick(1) :: skips[1] < SKIP -> skips[1]++ fi
#endif
       }
  /* ---- edges ---- */
  #ifdef ONE
  :: atomic { e = 0;
#else
  :: atomic { if :: e = 0 :: e = 1 fi;
#endif
       if
       :: app[e] < ll && app[e] >= first -> applyNext(e)
#ifdef COMPACT
#ifndef M10_NODROP
       :: app[e] < first -> pres[e] = 0; cf[e] = 0; cg[e] = 0; oage[e] = 0; infl[e] = 0; ff[e]=0; fg[e]=0; fage[e]=0; app[e] = first; req[e] = first;
            if :: joinpos[e] > 0 && joinpos[e] <= first -> joined[e] = 1 :: else fi
#else
       :: app[e] < first -> app[e] = first;
            if :: joinpos[e] > 0 && joinpos[e] <= first -> joined[e] = 1 :: else fi
#endif
#endif
       :: acked[e] < app[e] -> acked[e] = app[e]
#ifndef PROBE
       /* abstract probe: at this instant everything accepted is applied (over-approximates: free and instantaneous) */
       :: app[e] == ll && fresh[e] > 0 -> fresh[e] = 0; synced[e] = 1
#else
       :: pend[e] == 0 -> startProbe(e)
#ifdef M6_STALEREAD
       :: pend[e] == 1 -> pend[e] = 2; if :: pz[e] = ll :: ll > 0 -> pz[e] = ll - 1 fi
#else
       :: pend[e] == 1 -> pend[e] = 2; pz[e] = ll
#endif
       :: pend[e] == 1 -> pend[e] = 0; page[e] = 0
       :: pend[e] == 2 && app[e] >= pz[e] -> fresh[e] = MINB(fresh[e], page[e]); pend[e] = 0; pz[e] = 0; page[e] = 0; if :: fresh[e] <= L -> synced[e] = 1 :: else fi
#endif
       /* hit */
       :: pres[e] && ALIVE(e) && MEMB(e) && FRESHOK(e, oage[e]) ->
            assert(GOOD(cg[e], done))
#ifdef SOFT
       /* marked: shown while a fetch is under way that knows the rule */
#ifdef M16_UNASKED
       :: pres[e] && cf[e] >= req[e] && cf[e] < mreq[e] && MEMB(e) && FRESHOK(e, oage[e]) ->
#else
#ifdef M17_ANYFLIGHT
       :: pres[e] && cf[e] >= req[e] && cf[e] < mreq[e] && infl[e] > 0 && MEMB(e) && FRESHOK(e, oage[e]) ->
#else
       :: pres[e] && cf[e] >= req[e] && cf[e] < mreq[e] && infl[e] > 0 && es[e] >= mreq[e] && MEMB(e) && FRESHOK(e, oage[e]) ->
#endif
#endif
            assert(GOODMARKED(e, cg[e]))
       /* whoever asks now and finds nothing that may be shown joins the fetch */
#ifdef M18_JOINANY
       :: infl[e] > 0 && wd[e] < done -> wd[e] = done
#else
#ifdef M23_JOINUNLEASED
       :: infl[e] > 0 && wd[e] < done && es[e] >= mreq[e] -> wd[e] = done
#else
       :: infl[e] > 0 && wd[e] < done && es[e] >= mreq[e] && fresh[e] <= L -> wd[e] = done
#endif
#endif
#ifndef CHILDVIA
       /* or displaces it */
       :: infl[e] > 0 && es[e] < mreq[e] && dinfl[e] == 0 && !(e == 1 && viash) ->
            dinfl[e] = infl[e]; dff[e] = ff[e]; dfg[e] = fg[e]; dwd[e] = wd[e];
            forget(e); infl[e] = 1; ff[e] = app[e]; SENT(e)
       :: dinfl[e] == 1 -> dinfl[e] = 2; dfg[e] = ll
       :: dinfl[e] == 2 -> /* it cannot be young enough for S3's second clause: leave that to what is not displaced */
            if :: dff[e] >= req[e] && MEMB(e) && fresh[e] <= L -> assert(GOOD(dfg[e], dwd[e])) :: else fi;
            if :: dff[e] >= req[e] && (!pres[e] || dff[e] >= cf[e]) && !dno[e] -> pres[e] = 1; cf[e] = dff[e]; cg[e] = dfg[e]; oage[e] = SAT :: else fi;
            dinfl[e] = 0; dff[e] = 0; dfg[e] = 0; dwd[e] = 0; dno[e] = 0
#endif
       /* the fetch brings nothing: what it was to renew is spent */
       :: infl[e] == 2 ->
            if :: ended[e] < es[e] -> ended[e] = es[e] :: else fi;
#ifdef M19_UNSPENT
#else
#ifdef M20_SPENTBYNEWEST
            if :: pres[e] && cf[e] < mreq[e] && ff[e] >= mreq[e] -> gone(e) :: else fi;
#else
            if :: pres[e] && cf[e] < fm[e] -> gone(e) :: else fi;
#endif
#endif
#ifndef M22_DISPLACEDSTORES
            if :: dinfl[e] > 0 && dff[e] < es[e] -> dno[e] = 1 :: else fi;
#endif
            forget(e)
#endif
       /* fetch from the origin */
#ifdef CHILDVIA
       :: e == 0 && infl[e] == 0 -> infl[e] = 1; ff[e] = app[e]; fage[e] = 0; SENT(e)
#else
       :: infl[e] == 0 -> infl[e] = 1; ff[e] = app[e]; fage[e] = 0; SENT(e); if :: e == 1 -> viash = 0 :: else fi
#endif
       :: infl[e] == 1 && !(e == 1 && viash) -> infl[e] = 2; fg[e] = ll
       /* child asks the shield */
       :: e == 1 && infl[1] == 0 -> infl[1] = 1; ff[1] = app[1]; fage[1] = 0; viash = 1; SENT(1)
       /* shield answers from its cache: hands out its own fetchSeq, ghost and age */
#ifdef M2_NOMINSEQ
       :: e == 1 && infl[1] == 1 && viash && pres[0] && cf[0] >= req[0] -> infl[1] = 2; fg[1] = cg[0]; viash = 0
#else
/* v = shield's applied position, valid because its own predicate holds at that position */
#ifdef M13_NOPRED
       :: e == 1 && infl[1] == 1 && viash && pres[0] && KNOWN(app[0]) && app[0] >= flr[1] -> infl[1] = 2; ff[1] = app[0]; fg[1] = cg[0];
#else
#ifdef M12_NOFLOOR
       :: e == 1 && infl[1] == 1 && viash && pres[0] && ALIVE(0) && KNOWN(app[0]) -> infl[1] = 2; ff[1] = app[0]; fg[1] = cg[0];
#else
       :: e == 1 && infl[1] == 1 && viash && pres[0] && ALIVE(0) && KNOWN(app[0]) && app[0] >= flr[1] -> infl[1] = 2; ff[1] = app[0]; fg[1] = cg[0];
#endif
#endif
            if :: fage[1] + oage[0] > SAT -> fage[1] = SAT :: else -> fage[1] = fage[1] + oage[0] fi; viash = 0
#endif
       /* complete: answer the waiters, then store */
       :: infl[e] == 2 ->
#ifdef M1_NOINFLIGHT
            if :: MEMB(e) && FRESHOK(e, fage[e]) -> assert(fg[e] >= done) :: else fi;
            pres[e] = 1; cf[e] = app[e]; cg[e] = fg[e]; oage[e] = fage[e];
#else
            if :: ff[e] >= req[e] && MEMB(e) && FRESHOK(e, fage[e]) -> assert(GOOD(fg[e], WAITED(e))) :: else fi;
#ifdef M9_STOREANY
            if :: (!pres[e] || ff[e] >= cf[e]) -> pres[e] = 1; cf[e] = ff[e]; cg[e] = fg[e]; oage[e] = fage[e] :: else fi;
#else
            if :: ff[e] >= req[e] && (!pres[e] || ff[e] >= cf[e]) -> pres[e] = 1; cf[e] = ff[e]; cg[e] = fg[e]; oage[e] = fage[e] :: else fi;
#endif
#endif
#ifdef SOFT
            if :: ended[e] < es[e] -> ended[e] = es[e] :: else fi;
            forget(e)
#else
            infl[e] = 0; ff[e] = 0; fg[e] = 0; fage[e] = 0
#endif
       /* sweep: physically drop, then persist the position */
       :: swept[e] < app[e] ->
            if :: pres[e] && cf[e] < req[e] -> pres[e] = 0; cf[e] = 0; cg[e] = 0; oage[e] = 0 :: else fi; swept[e] = app[e];
#ifdef SOFT
            /* a rule that marks is forgotten when nothing is stored, and nothing on its way, that it marks */
#ifndef M21_MARKFORGOTTEN
            if :: (pres[e] && cf[e] < mreq[e]) || (infl[e] > 0 && ff[e] < mreq[e]) || (dinfl[e] > 0 && dff[e] < mreq[e]) :: else -> mreq[e] = 0 fi;
#else
            mreq[e] = 0;
#endif
            mswept[e] = mreq[e]
#endif
       /* crash + restart with the disk cache */
#ifdef RESTART
       :: true -> atomic { infl[e] = 0; ff[e]=0; fg[e]=0; fage[e]=0; pend[e] = 0; pz[e]=0; page[e]=0;
#ifdef M4_NOSWEEP
            req[e] = 0;
#else
            app[e] = swept[e]; req[e] = 0; flr[e] = swept[e];
#endif
#ifdef SOFT
            mreq[e] = mswept[e]; ended[e] = 0; sg[e] = 0; es[e] = 0; wd[e] = 0; fm[e] = 0; dinfl[e] = 0; dff[e] = 0; dfg[e] = 0; dwd[e] = 0; dno[e] = 0;
#endif
            if :: joinpos[e] > 0 && joinpos[e] <= app[e] -> joined[e] = 1 :: else -> joined[e] = 0 fi;
#ifndef M8_KEEPFRESH
            fresh[e] = SAT; synced[e] = 0;
#endif
            if :: pres[e] -> oage[e] = SAT :: else fi }
#endif
       :: else -> skip
       fi; e = 0 }
  od
}
