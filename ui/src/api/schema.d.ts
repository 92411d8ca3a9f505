export interface paths {
    "/api/setup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says whether the platform has to be set up */
        get: operations["getSetup"];
        put?: never;
        /** Makes the first administrator, with the token that the node has printed */
        post: operations["setUp"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Opens a session */
        post: operations["logIn"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends the session */
        post: operations["logOut"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/logout-everywhere": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends all sessions of the caller */
        post: operations["logOutEverywhere"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says who is signed in and what they may do */
        get: operations["getMe"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/me/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Changes one's own password and ends one's other sessions */
        put: operations["changePassword"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists one's own API tokens; an administrator sees all */
        get: operations["listTokens"];
        put?: never;
        /** Makes an API token and shows it this once */
        post: operations["createToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revokes an API token */
        delete: operations["deleteToken"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists people */
        get: operations["listUsers"];
        put?: never;
        /** Adds a person */
        post: operations["createUser"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a person */
        get: operations["getUser"];
        /** Changes a person */
        put: operations["updateUser"];
        post?: never;
        /** Removes a person with their sessions and tokens */
        delete: operations["deleteUser"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Sets a person's password and ends their sessions */
        put: operations["resetPassword"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists sources */
        get: operations["listSources"];
        put?: never;
        /** Makes a source */
        post: operations["createSource"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sources/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tries a source that is not saved */
        post: operations["testSource"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sources/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a source */
        get: operations["getSource"];
        /** Changes a source */
        put: operations["updateSource"];
        post?: never;
        /** Removes a source that no workflow names */
        delete: operations["deleteSource"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sources/{id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tries a source */
        post: operations["testSavedSource"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sources/{id}/workflows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the workflows that name a source */
        get: operations["listSourceWorkflows"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sinks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists sinks */
        get: operations["listSinks"];
        put?: never;
        /** Makes a sink */
        post: operations["createSink"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sinks/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tries a sink that is not saved */
        post: operations["testSink"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sinks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a sink */
        get: operations["getSink"];
        /** Changes a sink */
        put: operations["updateSink"];
        post?: never;
        /** Removes a sink that no workflow names */
        delete: operations["deleteSink"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sinks/{id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tries a sink */
        post: operations["testSavedSink"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sinks/{id}/workflows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the workflows that name a sink */
        get: operations["listSinkWorkflows"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists workflows */
        get: operations["listWorkflows"];
        put?: never;
        /** Makes a workflow */
        post: operations["createWorkflow"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/validate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Checks a bundle that is not saved */
        post: operations["validateBundle"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Takes a bundle in, stopped, all or nothing */
        post: operations["importBundle"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a workflow */
        get: operations["getWorkflow"];
        /** Saves a workflow as its next version */
        put: operations["updateWorkflow"];
        post?: never;
        /** Removes a workflow that is stopped */
        delete: operations["deleteWorkflow"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the versions that are kept, newest first */
        get: operations["listVersions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}/versions/{version}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a version */
        get: operations["getVersion"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}/rollback/{version}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Saves an old version as the next one */
        post: operations["rollBack"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a workflow with its sources and sinks, secrets left out */
        get: operations["exportBundle"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}/start": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lets a workflow run */
        post: operations["startWorkflow"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stops a workflow; what was taken is delivered */
        post: operations["stopWorkflow"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}/validate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Checks a workflow as it is saved */
        get: operations["validateWorkflow"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows how a workflow is */
        get: operations["getStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}/dead-letters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists dead letters of all nodes, without their messages */
        get: operations["listDeadLetters"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}/dead-letters/{node}/{seq}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a dead letter with its message */
        get: operations["getDeadLetter"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}/dead-letters/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Puts dead letters back as new messages */
        post: operations["replayDeadLetters"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workflows/{id}/dead-letters/discard": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Drops dead letters */
        post: operations["discardDeadLetters"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists workers */
        get: operations["listWorkers"];
        put?: never;
        /** Registers a worker */
        post: operations["registerWorker"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a worker */
        get: operations["getWorker"];
        put?: never;
        post?: never;
        /** Removes a worker's entry */
        delete: operations["deleteWorker"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workers/{id}/drain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lets a worker give its workflows away */
        post: operations["drainWorker"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/workers/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lets a worker take workflows again */
        post: operations["resumeWorker"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/cluster": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows the cluster as this node knows it */
        get: operations["getCluster"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/cluster/nodes/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Removes a node from the cluster */
        delete: operations["removeNode"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/cluster/nodes/{name}/lead": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Hands leadership to a node */
        post: operations["transferLeader"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/backlogs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what waits on the disks of nodes */
        get: operations["listBacklogs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/backlogs/declare-lost": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Gives a stranded stream up, by name */
        post: operations["declareLost"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/connectors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists connectors with their schemas */
        get: operations["listConnectors"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/connectors/{direction}/{type}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a connector */
        get: operations["getConnector"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what was done by whom, newest first */
        get: operations["listAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/audit/trim": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lets go of old entries */
        post: operations["trimAudit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/settings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists settings that are not at their default */
        get: operations["listSettings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/settings/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a setting */
        get: operations["getSetting"];
        /** Writes a setting; one that has its default has the tag "0" */
        put: operations["saveSetting"];
        post?: never;
        /** Puts a setting back to its default */
        delete: operations["deleteSetting"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/config/database": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows where the metadata is kept */
        get: operations["getDatabase"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows the latest lines of this node's log */
        get: operations["listLogs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Sends the status of workflows as it changes, twice a second at most */
        get: operations["streamEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/version": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says what this node is */
        get: operations["getVersionOfNode"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows this document */
        get: operations["getOpenApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Whether the platform has to be set up. */
        SetupState: {
            /** @description Whether there is no administrator yet. */
            needed: boolean;
        };
        /** @description A problem document (RFC 9457). */
        ProblemShape: {
            /** @description A name of the error, `urn:hermod:error:` and its code. */
            type: string;
            /** @description What it is, the same for every occurrence. */
            title: string;
            /**
             * Format: uint16
             * @description The status of the answer.
             */
            status: number;
            /** @description What it is this time. */
            detail: string;
            /** @description The code; each has a page in the documentation. */
            code: string;
            /** @description What to do. */
            hint: string;
            /** @description Everything that is wrong with a document. */
            errors?: components["schemas"]["ProblemAt"][];
        };
        /** @description Something that is wrong with a document, or that people should know of it. */
        ProblemAt: {
            /** @description JSON pointer to the value; empty for the document as a whole. */
            pointer: string;
            /** @description What is wrong and what to do. It quotes no secret (I10). */
            message: string;
            /**
             * @description Whether the document can be used nevertheless.
             * @default false
             */
            warning: boolean;
        };
        /** @description Who is signed in. */
        Me: {
            /** @description Their name. */
            username: string;
            /** @description Their name for people. */
            full_name: string;
            /** @description What they may do, by this session or token. */
            role: components["schemas"]["RoleName"];
            /** @description What the session's requests send as `X-CSRF-Token`; absent with a token. */
            csrf_token?: string | null;
            /** @description Operations of this API that they may use. */
            capabilities: string[];
        };
        /** @description Role of a person or a token. */
        RoleName: "Viewer" | "Editor" | "Administrator";
        /** @description Everything of a list that is never long. */
        Whole: {
            /** @description The objects. */
            data: components["schemas"]["TokenView"][];
        };
        /** @description An API token without itself. */
        TokenView: {
            /** @description Its id. */
            id: string;
            /** @description For people. */
            name: string;
            /** @description Whose it is. */
            user: string;
            /** @description The most that it lets do. */
            role: components["schemas"]["RoleName"];
            /** @description When it was made. */
            created_at: string;
            /** @description When it ends. */
            expires_at?: string | null;
        };
        /** @description An API token, this once. */
        TokenMade: {
            /** @description Its id. */
            id: string;
            /** @description Itself. It is kept nowhere and shown never again. */
            token: string;
        };
        /** @description A page of a list. */
        Page: {
            /** @description The objects of the page. */
            data: components["schemas"]["UserView"][];
            /**
             * Format: uint
             * @description How many there are on all pages.
             */
            total: number;
        };
        /** @description A person. */
        UserView: {
            /** @description With which they log in; the id. */
            username: string;
            /** @description For people. */
            full_name: string;
            /** @description For people. */
            email: string;
            /** @description What they may do. */
            role: components["schemas"]["RoleName"];
            /** @description Whether they may log in. */
            disabled: boolean;
            /** @description The version, as `If-Match` takes it. */
            etag: string;
            /** @description When it was made. */
            created_at: string;
            /** @description When it was last changed. */
            changed_at: string;
        };
        /** @description A page of a list. */
        Page2: {
            /** @description The objects of the page. */
            data: components["schemas"]["ConnectionView"][];
            /**
             * Format: uint
             * @description How many there are on all pages.
             */
            total: number;
        };
        /** @description A source or sink. */
        ConnectionView: {
            /** @description Its id. */
            id: string;
            /** @description Its kind. */
            type: string;
            /** @description Its configuration; a secret shows as `{"$secret": "set"}`. */
            config: {
                [key: string]: unknown;
            };
            /** @description The version, as `If-Match` takes it. */
            etag: string;
            /** @description When it was made. */
            created_at: string;
            /** @description When it was last changed. */
            changed_at: string;
        };
        /** @description What came of trying a source or sink. */
        Probe: {
            /** @description Whether it works. */
            ok: boolean;
            /** @description The step that failed, or what was tried. */
            step: string;
            /** @description Why it failed. It quotes no secret (I10). */
            message?: string | null;
            /**
             * Format: uint64
             * @description How long it took.
             */
            took_ms: number;
        };
        /** @description The ids of workflows. */
        Users: {
            /** @description The workflows that name it. */
            workflows: string[];
        };
        /** @description A page of a list. */
        Page3: {
            /** @description The objects of the page. */
            data: components["schemas"]["WorkflowView"][];
            /**
             * Format: uint
             * @description How many there are on all pages.
             */
            total: number;
        };
        /** @description A workflow. */
        WorkflowView: {
            /** @description Its id. */
            id: string;
            /** @description Whether it is to run. */
            active: boolean;
            /**
             * Format: uint64
             * @description Its version: each save makes the next one.
             */
            version: number;
            /** @description The owner of its lease: node and start; absent without one. */
            owner_id?: string | null;
            /** @description The owner's name, where it is known. */
            owner?: string | null;
            /** @description When the lease ends if it is not renewed. */
            lease_until?: string | null;
            /**
             * Format: uint64
             * @description The epoch of the lease; it only grows.
             */
            epoch?: number | null;
            /** @description What it does. */
            status?: components["schemas"]["WorkflowStatus"] | null;
            /** @description The version of the object, as `If-Match` takes it. */
            etag: string;
            /** @description When it was made. */
            created_at: string;
            /** @description When it was last changed. */
            changed_at: string;
        };
        /** @description A workflow's status as its owner reported it. */
        WorkflowStatus: {
            /** @description Which workflow. */
            workflow: string;
            /** @description Where it stands. */
            state: components["schemas"]["WorkflowState"];
            /** @description Why it is not simply running. */
            reason?: string | null;
            /** @description The node that says so. */
            node?: string | null;
            /**
             * Format: uint64
             * @description Epoch under which it runs (I5).
             */
            epoch?: number | null;
            /**
             * Format: uint64
             * @description Version of the workflow that runs.
             */
            version?: number | null;
            /**
             * Format: uint64
             * @description Messages that the buffer holds; absent where nobody knows.
             */
            buffered?: number | null;
            /**
             * Format: uint64
             * @description Number that the next message will get.
             */
            next?: number | null;
            /**
             * Format: uint64
             * @description Dead letters that are still open; absent where nobody knows.
             */
            dead_letters?: number | null;
            /**
             * @description Its sinks.
             * @default []
             */
            sinks: components["schemas"]["SinkState"][];
            /**
             * Format: uint64
             * @description When this was so, in milliseconds since 1970.
             */
            at_ms: number;
        };
        /** @description Where a workflow stands. */
        WorkflowState: "waiting" | "probing" | "running" | "draining" | "stopped" | "completed" | "failed" | "unknown";
        /** @description A sink's status as its owner reported it. */
        SinkState: {
            /** @description Which sink. */
            id: string;
            /** @description Its kind. */
            type: string;
            /**
             * Format: uint64
             * @description Messages that wait for it.
             */
            backlog: number;
            /**
             * Format: uint64
             * @description Number of the next message that it has to confirm.
             */
            next: number;
            /** @description Why it takes nothing at the moment. */
            blocked?: string | null;
            /**
             * @description Whether it catches up from the log by itself.
             * @default false
             */
            lagging: boolean;
        };
        /** @description What is wrong with a document. */
        Findings: {
            /** @description Whether it can be used. */
            valid: boolean;
            /** @description Errors and warnings. */
            problems: components["schemas"]["ProblemAt"][];
        };
        /** @description Everything of a list that is never long. */
        Whole2: {
            /** @description The objects. */
            data: components["schemas"]["VersionView"][];
        };
        /** @description A version of a workflow. */
        VersionView: {
            /**
             * Format: uint64
             * @description Its number.
             */
            version: number;
            /** @description Who saved it. */
            author: string;
            /** @description Why. */
            message: string;
            /** @description When. */
            saved_at: string;
            /** @description What it says; in lists it is absent. */
            document?: {
                [key: string]: unknown;
            } | null;
        };
        /** @description A bundle, secrets left out. */
        BundleView: {
            /** @description The workflow. */
            workflow: {
                [key: string]: unknown;
            };
            /** @description Its sources. */
            sources: {
                [key: string]: unknown;
            }[];
            /** @description Its sinks. */
            sinks: {
                [key: string]: unknown;
            }[];
        };
        /** @description Dead letters of all nodes, each node's ordered by number. */
        DeadLetterPage: {
            /** @description The dead letters. */
            data: components["schemas"]["DeadLetter"][];
            /**
             * Format: uint64
             * @description How many there are that fit the question, on the nodes that answered.
             */
            total: number;
            /** @description Who was asked. */
            nodes: components["schemas"]["NodeAnswer"][];
        };
        /** @description A dead letter. Its name is its node and its number there. */
        DeadLetter: {
            /** @description The node whose disk holds it. */
            node: string;
            /**
             * Format: uint64
             * @description Its number among the workflow's dead letters there.
             */
            seq: number;
            /** @description Id of the message. */
            message_id: string;
            /** @description Why it could not be delivered, as the other side says it. */
            reason: string;
            /** @description Kind of the failure. */
            kind: string;
            /** @description Where it failed: `sink` or `node`, and its id. */
            origin: unknown;
            /** @description Sinks that did not get it. */
            sinks: string[];
            /**
             * Format: uint32
             * @description How often it was tried.
             */
            attempts: number;
            /**
             * Format: uint64
             * @description When, in milliseconds since 1970.
             */
            at_ms: number;
            /** @description `open`, `replayed` or `discarded`. */
            state: string;
            /** @description The message; in lists it is absent. */
            message?: unknown;
        };
        /** @description Whether a node has answered a question about its own data. */
        NodeAnswer: {
            /** @description Which node. */
            node: string;
            /** @description Whether it has answered; what a silent one holds is not known, and never counted as nothing. */
            answered: boolean;
        };
        /** @description What came of a replay or a discard. */
        Changed: {
            /**
             * Format: uint64
             * @description So many were changed.
             */
            changed: number;
            /**
             * Format: uint64
             * @description So many were not open any more, or are not there.
             */
            skipped: number;
            /**
             * Format: uint64
             * @description So many could not be changed, and are as they were.
             */
            failed: number;
            /** @description Who was asked. */
            nodes: components["schemas"]["NodeAnswer"][];
        };
        /** @description Everything of a list that is never long. */
        Whole3: {
            /** @description The objects. */
            data: components["schemas"]["WorkerView"][];
        };
        /** @description A worker. */
        WorkerView: {
            /** @description Its id. */
            id: string;
            /** @description For people. */
            name: string;
            /** @description The id of the node behind it. */
            node?: string | null;
            /** @description Whether it was heard of lately. */
            alive: boolean;
            /** @description When it was last heard of. */
            seen_at?: string | null;
            /** @description Whether it gives its workflows away. */
            draining: boolean;
            /**
             * Format: uint
             * @description Workflows whose lease it holds.
             */
            workflows: number;
            /** @description Everything else that it says of itself. */
            details: {
                [key: string]: unknown;
            };
            /** @description The version, as `If-Match` takes it. */
            etag: string;
        };
        /** @description The cluster as one node knows it. */
        Cluster: {
            /** @description The node that says so. */
            node: string;
            /** @description The leader's name, if one is known. */
            leader?: string | null;
            /**
             * Format: uint64
             * @description The term, where the store has terms.
             */
            term?: number | null;
            /** @description Whether a write would be taken now. */
            writable: boolean;
            /**
             * Format: uint32
             * @description How many more nodes may be lost.
             */
            survives: number;
            /** @description Its members. */
            members: components["schemas"]["Member"][];
        };
        /** @description A node of the cluster. */
        Member: {
            /** @description Its name. */
            name: string;
            /** @description Its id, as sixteen hexadecimal digits. */
            id: string;
            /** @description Where other nodes reach it. */
            address: string;
            /** @description `leader`, `follower`, `learner`, `candidate` or `client`. */
            role: string;
            /** @description Whether it has a vote. */
            voter: boolean;
            /**
             * Format: uint64
             * @description How long ago it was last heard of; absent where nobody knows.
             */
            heard_ms_ago?: number | null;
            /** @description Version of its program; absent where nobody knows. */
            version?: string | null;
        };
        /** @description What waits on the disks of nodes. */
        Backlogs: {
            /** @description The streams. */
            data: components["schemas"]["Backlog"][];
        };
        /** @description A stream of level `durable` on a disk. */
        Backlog: {
            /** @description Of which workflow. */
            workflow: string;
            /** @description Its name. */
            stream: string;
            /** @description The node whose disk holds it. */
            node: string;
            /**
             * Format: uint64
             * @description Messages in it as last reported; absent where nobody knows.
             */
            messages?: number | null;
            /**
             * Format: uint64
             * @description When that was reported, in milliseconds since 1970.
             */
            reported_ms?: number | null;
            /** @description Whether its node is away or has been overtaken. */
            stranded: boolean;
            /** @description Whether it was declared lost. */
            barred: boolean;
        };
        /** @description All connectors. */
        Connectors: {
            /** @description Sources first. */
            data: components["schemas"]["Connector"][];
        };
        /** @description A kind of source or sink. */
        Connector: {
            /** @description Source or sink. */
            direction: components["schemas"]["Direction"];
            /** @description What stands as `type`. */
            type: string;
            /** @description Its name for people. */
            title: string;
            /** @description One sentence. */
            summary: string;
            /** @description How much it is to be trusted. */
            stability: string;
            /** @description JSON Schema of `config`; secrets have `writeOnly`. */
            schema: unknown;
            /** @description A configuration that works. */
            example: unknown;
            /** @description What it promises: `confirms`, `repeats`, `rereadable` and such. */
            promises: unknown;
        };
        /** @description Where messages go. */
        Direction: "source" | "sink";
        /** @description A piece of the journal, newest first. */
        AuditPage: {
            /** @description The entries. */
            data: components["schemas"]["AuditView"][];
            /**
             * Format: uint64
             * @description The `before` of the next page; absent on the last one.
             */
            next?: number | null;
        };
        /** @description An entry of the journal. */
        AuditView: {
            /**
             * Format: uint64
             * @description Its number.
             */
            sequence: number;
            /** @description When. */
            at: string;
            /** @description Who; empty for the node itself. */
            user: string;
            /** @description What. */
            action: string;
            /** @description Done to what. */
            entity_kind: string;
            /** @description Done to which. */
            entity_id: string;
            /** @description What changed; secrets are left out. */
            details: unknown;
        };
        /** @description Where the journal begins. */
        Trimmed: {
            /**
             * Format: uint64
             * @description The first number that is kept.
             */
            first: number;
        };
        /** @description Everything of a list that is never long. */
        Whole4: {
            /** @description The objects. */
            data: components["schemas"]["SettingView"][];
        };
        /** @description A setting. */
        SettingView: {
            /** @description Its name. */
            name: string;
            /** @description Its value. */
            value: unknown;
            /** @description The version, as `If-Match` takes it. */
            etag: string;
            /** @description When it was last changed. */
            changed_at: string;
        };
        /** @description The metadata store, as `--db-type` and `--db-conn` name it. */
        Database: {
            /** @description `raft`, `sqlite`, … */
            type: string;
            /** @description The connection, the password in it masked (I10). */
            conn: string;
        };
        /** @description Lines of the node's log. */
        Logs: {
            /** @description The lines, oldest first. */
            data: components["schemas"]["LogLine"][];
            /**
             * Format: uint64
             * @description The `from` of the next question.
             */
            next: number;
        };
        /** @description A line of the log. Whoever pushes it has left secrets out (I10). */
        LogLine: {
            /**
             * Format: uint64
             * @description Its number, given by the ring: 0, 1, 2, …
             */
            sequence: number;
            /**
             * Format: uint64
             * @description When, in milliseconds since 1970.
             */
            at_ms: number;
            /** @description How bad it is. */
            level: components["schemas"]["LogLevel"];
            /** @description The part of the program. */
            target: string;
            /** @description Of which workflow, if it is of one. */
            workflow?: string | null;
            /** @description What happened, with its fields. */
            message: string;
        };
        /** @description How bad it is. */
        LogLevel: "debug" | "info" | "warn" | "error";
        /** @description This node, as it says itself. */
        NodeInfo: {
            /** @description Its name in the cluster. */
            name: string;
            /** @description Version of the program. */
            version: string;
            /** @description `api`, `standalone` or `worker`. */
            mode: string;
            /** @description Whether it runs workflows itself. */
            runs_workflows: boolean;
        };
        /** @description A schema of anything. */
        AnyObject: {
            [key: string]: unknown;
        };
        /** @description The first administrator, with the token that the node has printed. */
        Setup: {
            /** @description From the setup link. */
            token: string;
            /** @description Lower-case letters, digits, `.`, `_`, `-`, `@`. */
            username: string;
            /** @description Twelve characters at least. */
            password: string;
            /**
             * @description For people.
             * @default
             */
            full_name?: string;
        };
        /** @description Name and password. */
        Login: {
            /** @description Who. */
            username: string;
            /** @description Their password. */
            password: string;
        };
        /** @description A new password of one's own. */
        PasswordChange: {
            /** @description The present one. */
            current: string;
            /** @description Twelve characters at least. */
            new: string;
        };
        /** @description An API token to be made. */
        NewToken: {
            /** @description For people. */
            name: string;
            /** @description The most that it lets do; one's own role at most. */
            role: components["schemas"]["RoleName"];
            /**
             * Format: uint32
             * @description After so many days it ends; without, it lasts until it is revoked.
             * @default null
             */
            expires_in_days?: number | null;
        };
        /** @description A person to be added. */
        NewUser: {
            /** @description Lower-case letters, digits, `.`, `_`, `-`, `@`. */
            username: string;
            /** @description Twelve characters at least. */
            password: string;
            /** @description What they may do. */
            role: components["schemas"]["RoleName"];
            /**
             * @description For people.
             * @default
             */
            full_name?: string;
            /**
             * @description For people.
             * @default
             */
            email?: string;
        };
        /** @description What a person becomes. */
        UserChange: {
            /** @description What they may do. */
            role: components["schemas"]["RoleName"];
            /**
             * @description For people.
             * @default
             */
            full_name?: string;
            /**
             * @description For people.
             * @default
             */
            email?: string;
            /**
             * @description Whether they may not log in.
             * @default false
             */
            disabled?: boolean;
        };
        /** @description A new password of somebody else. */
        PasswordReset: {
            /** @description Twelve characters at least. */
            new: string;
        };
        /** @description A source or sink to be written. What is not listed is kept too. */
        ConnectionDraft: {
            /** @description Its id; one is made where there is none. */
            id?: string | null;
            /** @description For people. */
            name?: string | null;
            /** @description Its kind; see the connectors. */
            type: string;
            /**
             * @description Its configuration. A secret that is absent, or `{"$secret": "set"}`, is as it was; `null` removes it.
             * @default {}
             */
            config?: {
                [key: string]: unknown;
            };
            /** @description The worker that it is bound to. */
            worker_id?: string | null;
        };
        /** @description A workflow to be written. What is not listed is kept too. */
        WorkflowDraft: {
            /** @description Its id; one is made where there is none. */
            id?: string | null;
            /** @description For people. */
            name?: string | null;
            /**
             * @description Whether a new one is to run at once. Later, start and stop say so.
             * @default false
             */
            active?: boolean;
            /** @description The nodes of the graph. */
            nodes: {
                [key: string]: unknown;
            }[];
            /**
             * @description The edges of the graph.
             * @default []
             */
            edges?: {
                [key: string]: unknown;
            }[];
            /** @description The worker that it is bound to. */
            worker_id?: string | null;
            /** @description The sink of dead letters. */
            dead_letter_sink_id?: string | null;
        };
        /** @description A bundle: a workflow with the sources and sinks that it names. */
        BundleDraft: {
            /** @description The workflow. */
            workflow: components["schemas"]["WorkflowDraft"];
            /** @description Its sources, with their ids. */
            sources?: components["schemas"]["ConnectionDraft"][];
            /** @description Its sinks, with their ids. */
            sinks?: components["schemas"]["ConnectionDraft"][];
        };
        /** @description Which dead letters to replay or discard: by number on one node, or all open ones that fit. */
        Selection: {
            /** @description Only those of this node; needed with `seqs`. */
            node?: string | null;
            /** @description These numbers. */
            seqs?: number[] | null;
            /**
             * @description All open ones; either this or `seqs`.
             * @default false
             */
            all?: boolean;
            /** @description Of all: only those that this sink did not get. */
            sink?: string | null;
            /** @description Of all: only those of this kind of failure. */
            kind?: string | null;
        };
        /** @description A worker that says what it is. */
        WorkerDraft: {
            /** @description Its id, `--worker-guid`. */
            id: string;
            /** @description For people; its id unless told otherwise. */
            name?: string | null;
            /** @description Where it runs. */
            host?: string | null;
            /**
             * Format: uint16
             * @description Where it answers probes.
             */
            port?: number | null;
            /** @description For people. */
            description?: string | null;
        };
        /** @description A stream to be declared lost, by name. */
        Loss: {
            /** @description Its workflow. */
            workflow: string;
            /** @description Its name. */
            stream: string;
            /** @description Why. */
            reason: string;
        };
        /** @description How much of the journal is let go of. */
        Trim: {
            /**
             * Format: uint64
             * @description The first number that stays.
             */
            first: number;
        };
        /** @description A setting to be written. */
        SettingDraft: {
            /** @description Its value. */
            value: unknown;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getSetup: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SetupState"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    setUp: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Setup"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    logIn: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Login"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    logOut: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    logOutEverywhere: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getMe: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    changePassword: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordChange"];
            };
        };
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listTokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Whole"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    createToken: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewToken"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenMade"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    deleteToken: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listUsers: {
        parameters: {
            query?: {
                /** @description Which page; the first is 1 */
                page?: number;
                /** @description Objects of a page; 50 unless told otherwise */
                limit?: number;
                /** @description Only those whose id or name holds this */
                search?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    createUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewUser"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    updateUser: {
        parameters: {
            query?: never;
            header: {
                /** @description The `ETag` of what the change is based on */
                "If-Match": string;
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    deleteUser: {
        parameters: {
            query?: never;
            header: {
                /** @description The `ETag` of what the change is based on */
                "If-Match": string;
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    resetPassword: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordReset"];
            };
        };
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listSources: {
        parameters: {
            query?: {
                /** @description Which page; the first is 1 */
                page?: number;
                /** @description Objects of a page; 50 unless told otherwise */
                limit?: number;
                /** @description Only those whose id or name holds this */
                search?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page2"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    createSource: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConnectionDraft"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConnectionView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    testSource: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConnectionDraft"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Probe"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getSource: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConnectionView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    updateSource: {
        parameters: {
            query?: never;
            header: {
                /** @description The `ETag` of what the change is based on */
                "If-Match": string;
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConnectionDraft"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConnectionView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    deleteSource: {
        parameters: {
            query?: never;
            header: {
                /** @description The `ETag` of what the change is based on */
                "If-Match": string;
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    testSavedSource: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Probe"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listSourceWorkflows: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Users"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listSinks: {
        parameters: {
            query?: {
                /** @description Which page; the first is 1 */
                page?: number;
                /** @description Objects of a page; 50 unless told otherwise */
                limit?: number;
                /** @description Only those whose id or name holds this */
                search?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page2"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    createSink: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConnectionDraft"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConnectionView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    testSink: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConnectionDraft"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Probe"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getSink: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConnectionView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    updateSink: {
        parameters: {
            query?: never;
            header: {
                /** @description The `ETag` of what the change is based on */
                "If-Match": string;
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConnectionDraft"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConnectionView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    deleteSink: {
        parameters: {
            query?: never;
            header: {
                /** @description The `ETag` of what the change is based on */
                "If-Match": string;
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    testSavedSink: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Probe"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listSinkWorkflows: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Users"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listWorkflows: {
        parameters: {
            query?: {
                /** @description Which page; the first is 1 */
                page?: number;
                /** @description Objects of a page; 50 unless told otherwise */
                limit?: number;
                /** @description Only those whose id or name holds this */
                search?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page3"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    createWorkflow: {
        parameters: {
            query?: {
                /** @description Why, for the list of versions */
                message?: string;
            };
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WorkflowDraft"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkflowView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    validateBundle: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AnyObject"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Findings"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    importBundle: {
        parameters: {
            query?: {
                /** @description Whether what exists is replaced */
                replace?: boolean;
            };
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BundleDraft"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkflowView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getWorkflow: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkflowView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    updateWorkflow: {
        parameters: {
            query?: {
                /** @description Why, for the list of versions */
                message?: string;
            };
            header: {
                /** @description The `ETag` of what the change is based on */
                "If-Match": string;
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WorkflowDraft"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkflowView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    deleteWorkflow: {
        parameters: {
            query?: {
                /** @description Whether messages that wait are given up */
                discard?: boolean;
            };
            header: {
                /** @description The `ETag` of what the change is based on */
                "If-Match": string;
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listVersions: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Whole2"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getVersion: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VersionView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    rollBack: {
        parameters: {
            query?: never;
            header: {
                /** @description The `ETag` of what the change is based on */
                "If-Match": string;
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
                version: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkflowView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    exportBundle: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BundleView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    startWorkflow: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkflowView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    stopWorkflow: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkflowView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    validateWorkflow: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Findings"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getStatus: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkflowStatus"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listDeadLetters: {
        parameters: {
            query?: {
                /** @description Only those of this node */
                node?: string;
                /** @description Only those that this sink did not get */
                sink?: string;
                /** @description Only those of this kind of failure */
                kind?: string;
                /** @description Whether replayed and discarded ones are listed too */
                closed?: boolean;
                /** @description Only numbers from this on */
                from?: number;
                /** @description So many of each node at most; 50 unless told otherwise */
                limit?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeadLetterPage"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getDeadLetter: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                node: string;
                seq: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeadLetter"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    replayDeadLetters: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Selection"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    discardDeadLetters: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Selection"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listWorkers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Whole3"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    registerWorker: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WorkerDraft"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkerView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getWorker: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkerView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    deleteWorker: {
        parameters: {
            query?: never;
            header: {
                /** @description The `ETag` of what the change is based on */
                "If-Match": string;
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    drainWorker: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkerView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    resumeWorker: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkerView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getCluster: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Cluster"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    removeNode: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    transferLeader: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listBacklogs: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Backlogs"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    declareLost: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Loss"];
            };
        };
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listConnectors: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Connectors"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getConnector: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                direction: string;
                type: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Connector"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listAudit: {
        parameters: {
            query?: {
                /** @description Only lower numbers: `next` of the page before */
                before?: number;
                /** @description Entries of a page; 100 unless told otherwise */
                limit?: number;
                /** @description Not before this, in milliseconds since 1970 */
                from_ms?: number;
                /** @description Before this, in milliseconds since 1970 */
                until_ms?: number;
                /** @description Only of this person */
                user?: string;
                /** @description Only of this action */
                action?: string;
                /** @description Only done to this kind of thing */
                entity_kind?: string;
                /** @description Only done to this thing */
                entity_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditPage"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    trimAudit: {
        parameters: {
            query?: never;
            header?: {
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Trim"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trimmed"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listSettings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Whole4"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getSetting: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettingView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    saveSetting: {
        parameters: {
            query?: never;
            header: {
                /** @description The `ETag` of what the change is based on */
                "If-Match": string;
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SettingDraft"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettingView"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    deleteSetting: {
        parameters: {
            query?: never;
            header: {
                /** @description The `ETag` of what the change is based on */
                "If-Match": string;
                /** @description Needed with a session: the `csrf_token` of `GET /api/me` */
                "X-CSRF-Token"?: string;
            };
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getDatabase: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Database"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    listLogs: {
        parameters: {
            query?: {
                /** @description The least level: `debug`, `info`, `warn`, `error` */
                level?: string;
                /** @description Only of this workflow */
                workflow?: string;
                /** @description Only numbers from this on */
                from?: number;
                /** @description So many at most, the latest; 200 unless told otherwise */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Logs"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    streamEvents: {
        parameters: {
            query?: {
                /** @description The least level: `debug`, `info`, `warn`, `error` */
                level?: string;
                /** @description Only of this workflow */
                workflow?: string;
                /** @description Whether lines of the log are sent too */
                logs?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Server-sent events: `status`, `gone`, `logs`, `missed` */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getVersionOfNode: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeInfo"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
    getOpenApi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AnyObject"];
                };
            };
            /** @description A problem document */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
            /** @description A problem document */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemShape"];
                };
            };
        };
    };
}
