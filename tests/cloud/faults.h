/* faults.h -- what goes wrong with a request, decided when it arrives. */
#ifndef CLOUD_FAULTS_H
#define CLOUD_FAULTS_H

#include "cloud.h"

enum fault { FAULT_NONE, FAULT_THROTTLE, FAULT_500, FAULT_503, FAULT_RESET,
	FAULT_TRUNCATE, FAULT_BITFLIP, FAULT_GARBAGE };

struct fault_plan {
	enum fault kind;
	long delay_ms; /* before the reply */
};

/* Roll the dice for `req`, by its service; sets req->fault. */
struct fault_plan faults_plan(struct cloud *c, struct request *req);

/* Make the error reply that `kind` stands for; false when it stands for
 * none. */
bool faults_reply(struct cloud *c, struct request *req, enum fault kind);

/* Cut the body in half, in a reply that is whole as far as HTTP goes. */
void faults_halve(struct request *req);

/* Turn over one random bit of the reply's body. */
void faults_flip(struct cloud *c, struct request *req);

#endif
