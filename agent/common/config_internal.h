/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the configuration share: the tree that was read, and the
 * configuration made of it. Nobody else includes this.
 */
#ifndef HF_CONFIG_INTERNAL_H
#define HF_CONFIG_INTERNAL_H

#include <stdarg.h>
#include <stdio.h>

#include "config.h"

enum hf_node_kind { HF_N_SCALAR, HF_N_MAP, HF_N_LIST };

/*
 * A node of the YAML text. Children of a map are key, value, key, value.
 * @plain: written without quotes. @line, @column from 1; 0: not from the file.
 */
struct hf_node {
	enum hf_node_kind kind;
	unsigned int line, column;
	bool plain;
	bool from_file;
	char *text;
	struct hf_node *first, *last, *next;
};

struct hf_tree {
	size_t used;
	struct hf_node nodes[HF_CONFIG_NODES_MAX];
};

/*
 * @values: as hf_config_json(). @places: path -> [ line, column ] of what the file states, or
 * the name of the environment variable; what is a default is not in it.
 */
struct hf_config {
	json_t *values;
	json_t *places;
	json_t *origins;	/* path -> text, made when asked for */
	char *file;
};

/* One error more. @path may be NULL. */
void hf_config_err(struct hf_config_errors *errors, unsigned int line, unsigned int column,
		   const char *path, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The text as a tree; *@root is NULL when there is nothing to go on with. 0, -ENOMEM. */
int hf_tree_read(const char *text, size_t len, struct hf_tree *t, struct hf_node **root,
		 struct hf_config_errors *errors);
void hf_tree_clear(struct hf_tree *t);

/* The tree and the environment against the table, into @c. 0, -ENOMEM. */
int hf_config_check(const struct hf_node *root, char *const envp[], struct hf_config *c,
		    struct hf_config_errors *errors);
/* Rules between keys. Only for values that have passed hf_config_check() without error. */
void hf_config_rules(const struct hf_config *c, struct hf_config_errors *errors);
/* "parent.name", or "name" if @parent is empty; cut if too long (which no table's path is). */
void hf_config_join(char out[HF_CONFIG_PATH], const char *parent, const char *name);
void hf_config_join_index(char out[HF_CONFIG_PATH], const char *parent, size_t index);

#endif /* HF_CONFIG_INTERNAL_H */
