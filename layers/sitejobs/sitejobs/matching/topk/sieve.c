/* Which pairs of viewers and candidates may reach their viewer's threshold: step 1 of screening.py, in one pass.
 *
 * It knows no Python: compiled_sieve.py hands over addresses of numpy's arrays, whose types and shapes stand beside the
 * members of the structures; docstrings of sieve.py and segment.py say what they are. All sums are in single precision;
 * what passes is scored again. Candidates are taken TILE at a time, so that what is read of them stays in the processor's
 * first cache while all viewers pass, in loops without branches, which compilers turn into vector instructions.
 */

#include <math.h>
#include <stdint.h>

enum { TILE = 256, LANES = 8, STRIP = 4 * LANES, RATINGS = 5 };

static const float EARTH_RADIUS_KM = 6371.0f;

/* Some numbers that are neighbours in an array. */
typedef float Lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* Of a viewer and those who have one set of trait keys: what their product is multiplied by, and what is added. */
typedef struct {
    float factor, coverage;
} Factors;

/* n candidates of a segment. */
typedef struct {
    int64_t size, words, keys, stride;
    const float *directions;     /* (keys, stride), what is beyond n only read */
    const float *ratings;        /* (RATINGS, n), the last row what depends on the candidate alone */
    const float *xyz;            /* (3, n), far from everybody where there is no place */
    const float *most_km;        /* (n,), infinite where any distance will do */
    const float *interest_count, *interest_inverse; /* (n,), and 1 / the count, 0 for none */
    const uint64_t *interests;   /* (n, words) */
    const int64_t *place;        /* (n,), 0 for none */
    const int32_t *mask, *ages;  /* (n,) */
    const uint16_t *gender, *unwanted;
    const uint8_t *age, *low, *span, *has_place;
} Candidates;

/* v viewers of a page, and what is prepared for them and a segment of n candidates with m masks. */
typedef struct {
    int64_t masks, ages, by_places;
    const Factors *factors;         /* (v, m) */
    const float *scales;            /* (k, n), or none */
    const int64_t *scale;           /* (v,) */
    const int64_t *by_place;        /* (by_places,) candidates who may be near by their place's name, ascending */
    const float *directions;        /* (v, keys) */
    const int32_t *keys, *key_count; /* (v, keys) which of a direction are not 0, first of all, and (v,) how many */
    const float *ratings;           /* (v, RATINGS), or none: not added */
    const float *gaps;              /* (v, ages), or none: not added, nor half of what depends on the candidate alone */
    const float *xyz;               /* (v, 3) */
    const float *most_km, *nearness, *interest_count; /* (v,); nearness: 1 / radius */
    const uint64_t *interests;      /* (v, words) */
    const int64_t *place;
    const uint16_t *gender, *unwanted, *bars; /* bars: the gender whom to refuse is to bar */
    const uint8_t *age, *low, *span, *has_place;
    float worth_interests, worth_proximity, worth_same_place, no_interests, nearer_km, default_radius;
    int32_t mutual;
} Viewers;

/* What is asked: r viewers and the candidates first..stop-1, in b blocks. */
typedef struct {
    int64_t rows, blocks;
    const int64_t *row;    /* (r,) */
    const int64_t *starts; /* (b + 1,) first candidate of each block, and the one after the last */
    const float *least, *least_suiting; /* (r,) what upper bounds must reach, and what those who suit must */
    const uint8_t *wanted, *near, *suiting; /* (r, b) */
} Question;

typedef struct {
    int32_t *row, *candidate; /* index of a viewer in `Question.row`, and of a candidate in the segment */
    float *known;
} Passing;

/* Products of a direction with those of the candidates from `at` on; whole strips, thus also of some beyond `size`. */
static void multiply(float *restrict dots, const Candidates *c, const float *direction, const int32_t *keys, int count,
                     int64_t at, int size) {
    for (int start = 0; start < size; start += STRIP) {
        const float *strip = c->directions + at + start;
        Lanes sum[4] = {{0}, {0}, {0}, {0}};
        for (int i = 0; i < count; i++) {
            const float here = direction[keys[i]];
            const Lanes *there = (const Lanes *)(strip + keys[i] * c->stride);
            sum[0] += here * there[0];
            sum[1] += here * there[1];
            sum[2] += here * there[2];
            sum[3] += here * there[3];
        }
        for (int lane = 0; lane < 4; lane++) *(Lanes *)(dots + start + lane * LANES) = sum[lane];
    }
}

/* Turns products of directions into the sum of the parts that are exact. */
static void add_known(float *restrict known, const Candidates *c, const Viewers *v, int64_t viewer, int64_t at, int size) {
    const Factors *factors = v->factors + viewer * v->masks;
    const int32_t *mask = c->mask + at;
    Factors of[TILE];
    if (v->scales) {
        const float *scale = v->scales + v->scale[viewer] * c->size + at;
        for (int i = 0; i < size; i++) known[i] *= scale[i];
    }
    for (int i = 0; i < size; i++) of[i] = factors[mask[i]];
    for (int i = 0; i < size; i++) known[i] = known[i] * of[i].factor + of[i].coverage;
    if (!v->ratings) return;
    const float *gives = v->ratings + viewer * RATINGS, *gets = c->ratings + at;
    const int64_t n = c->size;
    for (int i = 0; i < size; i++)
        known[i] += gives[0] * gets[i] + gives[1] * gets[n + i] + gives[2] * gets[2 * n + i] + gives[3] * gets[3 * n + i]
                    + gives[4] * gets[4 * n + i];
}

static void add_gaps(float *restrict upper, const Candidates *c, const Viewers *v, int64_t viewer, int64_t at, int size) {
    const float *gaps = v->gaps + viewer * v->ages, *fixed = c->ratings + (RATINGS - 1) * c->size + at;
    const int32_t *ages = c->ages + at;
    for (int i = 0; i < size; i++) upper[i] += gaps[ages[i]] + fixed[i] / 2;
}

static void add_nearness(float *restrict upper, float *restrict km, const Candidates *c, const Viewers *v, int64_t viewer,
                         int64_t at, int size) {
    const float *here = v->xyz + 3 * viewer, *x = c->xyz + at, *y = x + c->size, *z = y + c->size;
    const float nearness = v->nearness[viewer];
    for (int i = 0; i < size; i++) {
        const float dx = here[0] - x[i], dy = here[1] - y[i], dz = here[2] - z[i];
        km[i] = sqrtf(dx * dx + dy * dy + dz * dz) * EARTH_RADIUS_KM - v->nearer_km;
        float part = 1 - km[i] * nearness;
        part = part < 0 ? 0 : part;
        part = part > 1 ? 1 : part;
        upper[i] += part * v->worth_proximity;
    }
}

static void add_same_places(float *upper, const Candidates *c, const Viewers *v, int64_t viewer, int64_t at, int size) {
    int64_t low = 0, high = v->by_places;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (v->by_place[middle] < at) low = middle + 1;
        else high = middle;
    }
    for (; low < v->by_places && v->by_place[low] < at + size; low++) {
        const int64_t candidate = v->by_place[low], place = v->place[viewer];
        const int apart = !(v->has_place[viewer] && c->has_place[candidate]);
        if (apart && place && place == c->place[candidate]) upper[candidate - at] += v->worth_same_place;
    }
}

/* need: what each upper bound must reach. km: lower bounds of distances, or none where nobody is near. */
static void set_needs(float *restrict need, const float *restrict km, const Candidates *c, const Viewers *v, const Question *q,
                      int64_t index, int suiting, int64_t at, int size) {
    const int64_t viewer = q->row[index];
    const uint16_t bars = v->bars[viewer], *unwanted = c->unwanted + at, *gender = c->gender + at;
    const float least = q->least[index];
    for (int i = 0; i < size; i++) need[i] = unwanted[i] & bars ? INFINITY : least;
    if (!suiting || (!km && !isinf(v->most_km[viewer]))) return;
    const uint8_t low = v->low[viewer], span = v->span[viewer], own_age = v->age[viewer];
    const uint8_t *age = c->age + at, *lows = c->low + at, *spans = c->span + at;
    const uint16_t own_unwanted = v->unwanted[viewer], own_gender = v->mutual ? v->gender[viewer] : 0;
    const float most_km = v->most_km[viewer], *their_km = c->most_km + at, least_suiting = q->least_suiting[index];
    uint8_t fits[TILE];
    for (int i = 0; i < size; i++)
        fits[i] = !((own_unwanted & gender[i]) | (own_gender & unwanted[i]));
    for (int i = 0; i < size; i++) fits[i] &= (uint8_t)(age[i] - low) <= span;
    if (v->mutual)
        for (int i = 0; i < size; i++) fits[i] &= (uint8_t)(own_age - lows[i]) <= spans[i];
    if (km) {
        for (int i = 0; i < size; i++) {
            const int kept = (km[i] <= most_km) & (!v->mutual | (km[i] <= their_km[i]));
            need[i] = fits[i] & kept ? least_suiting : need[i];
        }
    } else {
        for (int i = 0; i < size; i++)
            need[i] = fits[i] & (!v->mutual | (their_km[i] > v->default_radius)) ? least_suiting : need[i];
    }
}

/* Adds the most that interests can give two sets of these sizes: one within the other. */
static void add_most_interests(float *restrict most, const float *restrict upper, const Candidates *c, const Viewers *v,
                               int64_t viewer, int64_t at, int size) {
    const float own = v->interest_count[viewer], worth = v->worth_interests, none = v->no_interests * worth;
    const float *counts = c->interest_count + at, *inverses = c->interest_inverse + at, inverse = own > 0 ? worth / own : 0;
    if (own == 0) {
        for (int i = 0; i < size; i++) most[i] = upper[i] + none;
        return;
    }
    for (int i = 0; i < size; i++) {
        const float more = counts[i] * inverse, fewer = own * worth * inverses[i];
        const float share = more < fewer ? more : fewer;
        most[i] = upper[i] + (counts[i] > 0 ? share : none);
    }
}

/* Those whose sums reach what they need, ascending; returns how many. */
static int some_reach(int *restrict reaching, const float *restrict most, const float *restrict need, int size) {
    int count = 0;
    for (int start = 0; start < size; start += STRIP) {
        const int stop = start + STRIP < size ? start + STRIP : size;
        int any = 0;
        for (int i = start; i < stop; i++) any |= most[i] >= need[i];
        if (!any) continue;
        for (int i = start; i < stop; i++) {
            reaching[count] = i;
            count += most[i] >= need[i];
        }
    }
    return count;
}

static float interests_part(const Candidates *c, const Viewers *v, int64_t viewer, int64_t candidate) {
    const float own = v->interest_count[viewer], other = c->interest_count[candidate];
    if (own == 0 || other == 0) return v->no_interests * v->worth_interests;
    const uint64_t *here = v->interests + viewer * c->words, *there = c->interests + candidate * c->words;
    int shared = 0;
    for (int64_t word = 0; word < c->words; word++) shared += __builtin_popcountll(here[word] & there[word]);
    return (float)shared / (own + other - (float)shared) * v->worth_interests;
}

/* Puts down the pairs that pass of one viewer and some candidates of a block. */
static int64_t pass(const Candidates *c, const Viewers *v, const Question *q, const Passing *passing, int64_t count,
                    int64_t index, int64_t cell, const int32_t *keys, int key_count, int64_t at, int size) {
    float known[TILE], upper[TILE], most[TILE], need[TILE], km[TILE];
    int reaching[TILE];
    const int64_t viewer = q->row[index];
    multiply(known, c, v->directions + viewer * c->keys, keys, key_count, at, size);
    add_known(known, c, v, viewer, at, size);
    for (int i = 0; i < size; i++) upper[i] = known[i];
    if (v->gaps) add_gaps(upper, c, v, viewer, at, size);
    if (q->near[cell]) add_nearness(upper, km, c, v, viewer, at, size);
    add_same_places(upper, c, v, viewer, at, size);
    set_needs(need, q->near[cell] ? km : 0, c, v, q, index, q->suiting[cell], at, size);
    add_most_interests(most, upper, c, v, viewer, at, size);
    const int some = some_reach(reaching, most, need, size);
    for (int i = 0; i < some; i++) {
        const int column = reaching[i];
        const float interests = interests_part(c, v, viewer, at + column);
        if (upper[column] + interests < need[column]) continue;
        passing->row[count] = (int32_t)index;
        passing->candidate[count] = (int32_t)(at + column);
        passing->known[count++] = known[column] + interests;
    }
    return count;
}

/* The pairs that pass, some candidates after the other, and by row for each; returns how many. */
int64_t sieve(const Candidates *c, const Viewers *v, const Question *q, const Passing *passing) {
    int64_t count = 0;
    for (int64_t block = 0; block < q->blocks; block++)
        for (int64_t at = q->starts[block]; at < q->starts[block + 1]; at += TILE) {
            const int64_t left = q->starts[block + 1] - at;
            for (int64_t index = 0; index < q->rows; index++) {
                const int64_t cell = index * q->blocks + block, viewer = q->row[index];
                if (!q->wanted[cell]) continue;
                count = pass(c, v, q, passing, count, index, cell, v->keys + viewer * c->keys, v->key_count[viewer], at,
                             left < TILE ? (int)left : TILE);
            }
        }
    return count;
}

/* What this was compiled from, so that nobody takes it for another version. */
int64_t source(void) {
    return SOURCE;
}
