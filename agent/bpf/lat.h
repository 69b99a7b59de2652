/* SPDX-License-Identifier: GPL-2.0 */
/* The kinds of time of holdfast-lat. */
#ifndef HF_BPF_LAT_H
#define HF_BPF_LAT_H

enum hf_lat_kind {
	HF_LAT_COST,		/* time spent on the judgement of a frame */
	HF_LAT_SUBMIT_EMIT,	/* the kernel began to copy a frame -> it was put out */
	HF_LAT_ONSET_SILENCE,	/* what tripped began -> outputs commanded off */
	HF_LAT_DETECT_SILENCE,	/* the governor saw it -> outputs commanded off */
	HF_LAT_KINDS,
};

#endif /* HF_BPF_LAT_H */
