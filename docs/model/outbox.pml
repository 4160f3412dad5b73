/*
 * The row as outbox, duplicate deliveries, and the newest that wins, for Spin (apt-get install spin gcc). See README.md.
 *
 * Two uploads of one party: 1 was accepted after 0. Two stages stand for four: persist (received -> stored) and forward
 * (stored -> forwarded). Each `atomic` is one statement of the database, or one act of the broker or the PAC. Between two
 * of them anybody else may do anything, and a worker may die.
 */
#define UPLOADS 2
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef FAILURES
#define FAILURES 1
#endif
#define NONE 255

mtype = { received, stored, forwarded, superseded };

mtype state[UPLOADS] = received;
byte epoch[UPLOADS];
bool intent[UPLOADS];   /* open, and younger than two minutes */
byte sending[UPLOADS];  /* workers whose attempt is really under way, up to its settling */
byte current = NONE;    /* whose certificate is the party's */
byte pac = NONE;        /* whose certificate the PAC was given last */
byte crashes, losses, failures;

chan queue = [3] of { byte, byte };  /* upload, epoch */

#define ended(u) (state[u] == forwarded || state[u] == superseded)
#define under_way(u) (state[u] == stored && intent[u])

/* A message that finds no room, or whose confirm is lost, is left to the sweeper: nobody waits for it. */
inline publish(u) {
    if
    :: nfull(queue) -> queue!u, epoch[u]
    :: true -> skip
    fi
}

/* The broker gives back what a dead worker had in hand. A connection that is cut while its worker goes on does the same. */
inline die(u, e) {
    atomic { crashes < CRASHES && nfull(queue) -> crashes++; queue!u, e }
}

active proctype Sweeper() {
    /* Leases, retries, the reconciler: whatever has not ended is published again some time, however early. */
    byte u;
end:
    do
    :: atomic { !ended(0) && nfull(queue) && !(queue??[0, eval(epoch[0])]) -> queue!0, epoch[0] }
    :: atomic { !ended(1) && nfull(queue) && !(queue??[1, eval(epoch[1])]) -> queue!1, epoch[1] }
    od
}

active proctype Clock() {
    /* An intent is two minutes old, and nobody's attempt is: none takes so long, its settling included. */
end:
    do
    :: atomic { intent[0] && sending[0] == 0 -> intent[0] = false }
    :: atomic { intent[1] && sending[1] == 0 -> intent[1] = false }
    od
}

active proctype Mischief() {
    byte u, e;
end:
    do
    :: atomic { losses < LOSSES && nempty(queue) -> losses++; queue?u, e }
    od
}

active [WORKERS] proctype Worker() {
    byte u, e;
end:
    do
    :: queue?u, e ->
       /* load */
       if
       :: atomic { epoch[u] != e || ended(u) -> skip }  /* stale: acknowledged */
       :: atomic { epoch[u] == e && state[u] == received -> skip }; goto persist
       :: atomic { epoch[u] == e && state[u] == stored ->
            if
#ifdef OVERTAKES
            :: current != u -> state[u] = superseded; epoch[u]++
#else
            :: current != u && !intent[u] -> state[u] = superseded; epoch[u]++
            :: current != u && intent[u] -> skip  /* somebody else may be sending it */
#endif
#ifndef TOGETHER
            :: current == u && intent[u] -> skip  /* likewise */
            :: current == u && !intent[u] ->
#else
            :: current == u ->
#endif
               if
               :: u == 1 && under_way(0) -> skip  /* waits for the older one */
               :: else -> intent[u] = true; sending[u]++; goto send
               fi
            fi
          }
       :: die(u, e)
       fi;
       goto done;
persist:
       if
       :: atomic {
            if
            :: state[u] == received && epoch[u] == e ->
               epoch[u]++;
               if
               :: current != NONE && current > u -> state[u] = superseded
               :: else -> state[u] = stored; current = u
               fi
            :: else -> skip
            fi
          }
       :: atomic { failures < FAILURES && state[u] == received && epoch[u] == e -> failures++; epoch[u]++ }
       :: die(u, e); goto done
       fi;
       if
       :: atomic { !ended(u) -> publish(u) }
       :: ended(u) -> skip
       :: die(u, e)
       fi;
       goto done;
send:
       if
       :: atomic { assert(pac == NONE || u >= pac); pac = u }
       :: atomic { failures < FAILURES -> failures++; sending[u]--;
            if
            :: epoch[u] == e -> epoch[u]++; intent[u] = false
            :: else -> skip
            fi }; goto done
       :: atomic { crashes < CRASHES && nfull(queue) -> crashes++; sending[u]--; queue!u, e }; goto done
       fi;
       if
       :: atomic {
            sending[u]--;
            if
            :: state[u] == stored && epoch[u] == e -> state[u] = forwarded; epoch[u]++; intent[u] = false
            :: else -> skip
            fi
          }
       :: atomic { crashes < CRASHES && nfull(queue) -> crashes++; sending[u]--; queue!u, e }
       fi;
done:
       skip
    od
}

/* Everything ends, and then the newest one is the active one, and the one that the PAC has. */
ltl ends { <> [] (ended(0) && ended(1) && current == 1 && state[1] == forwarded && pac == 1) }
